{{/* The chart's name, as labels carry it. */}}
{{- define "mien.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What the names of all resources begin with; short enough for the longest end, -streams-s3-notifications. */}}
{{- define "mien.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 36 | trimSuffix "-" -}}
{{- else if contains (include "mien.name" .) .Release.Name -}}
{{- .Release.Name | trunc 36 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "mien.name" .) | trunc 36 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* By which a component's pods are found. Arguments: root, component, role (streams only). */}}
{{- define "mien.selector" -}}
app.kubernetes.io/name: {{ include "mien.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .role }}
mien.dev/role: {{ . }}
{{- end }}
{{- end -}}

{{/* The labels of pods: none that changes with the chart alone, which would replace them. Arguments: as mien.selector. */}}
{{- define "mien.podLabels" -}}
{{ include "mien.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: mien
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* All labels. Arguments: as mien.selector. */}}
{{- define "mien.labels" -}}
{{ include "mien.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* A resource's metadata. Arguments: root, component, role, name (after the full name; may be empty), annotations. */}}
{{- define "mien.metadata" -}}
name: {{ include "mien.fullname" .root }}{{ with .name }}-{{ . }}{{ end }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "mien.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* An image's full name. Arguments: root, image (the name of its values). */}}
{{- define "mien.image" -}}
{{- $image := index .root.Values.images .image -}}
{{- $repository := $image.repository -}}
{{- with .root.Values.global.imageRegistry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository ($image.tag | default .root.Values.images.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Where Ray's dashboard is. */}}
{{- define "mien.dashboardURL" -}}
{{- if .Values.serving.enabled -}}
http://{{ include "mien.fullname" . }}-dashboard:8265
{{- else -}}
{{- required "serving.dashboardUrl: the address of Ray's dashboard (http://host:8265), because serving.enabled is false and operator.enabled is true" .Values.serving.dashboardUrl -}}
{{- end -}}
{{- end -}}

{{/* Where the router is. */}}
{{- define "mien.servingURL" -}}
{{- if .Values.serving.enabled -}}
http://{{ include "mien.fullname" . }}-serving:8000
{{- else -}}
{{- required "serving.url: the router's address (http://host:port), because serving.enabled is false" .Values.serving.url -}}
{{- end -}}
{{- end -}}
