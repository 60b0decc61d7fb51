{{/* A rule to a part outside of the chart. Arguments: ports, to. */}}
{{- define "mien.egress" -}}
- ports:
    {{- range .ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* A rule to a component of the chart. Arguments: root, component, port. */}}
{{- define "mien.egress.to" -}}
- ports:
    - {port: {{ .port }}, protocol: TCP}
  to:
    - podSelector:
        matchLabels:
          {{- include "mien.selector" (dict "root" .root "component" .component) | nindent 10 }}
{{- end -}}

{{/* A rule from a component of the chart. Arguments: root, component, port. */}}
{{- define "mien.ingress.from" -}}
- ports:
    - {port: {{ .port }}, protocol: TCP}
  from:
    - podSelector:
        matchLabels:
          {{- include "mien.selector" (dict "root" .root "component" .component) | nindent 10 }}
{{- end -}}

{{/* Traces, where they are sent. */}}
{{- define "mien.egress.traces" -}}
{{- if .Values.telemetry.otlpEndpoint -}}
{{ include "mien.egress" .Values.networkPolicies.traces }}
{{- end -}}
{{- end -}}

{{/* Who may scrape. Arguments: root, port. */}}
{{- define "mien.ingress.metrics" -}}
{{- with .root.Values.networkPolicies.metricsFrom -}}
- ports:
    - {port: {{ $.port }}, protocol: TCP}
  from:
    {{- toYaml . | nindent 4 }}
{{- end -}}
{{- end -}}

{{/* The port of a URL. */}}
{{- define "mien.portOf" -}}
{{- $url := urlParse . -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "https" | ternary "443" "80") -}}
{{- end -}}
