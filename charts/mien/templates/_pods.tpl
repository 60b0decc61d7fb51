{{/*
What all pods have. Arguments: root, values (nodeSelector and so on), component, role, serviceAccount (a name; empty
means the namespace's own), token (whether it is mounted), grace (seconds).
*/}}
{{- define "mien.pod" -}}
{{- with .root.Values.global.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .serviceAccount }}
serviceAccountName: {{ . }}
{{- end }}
automountServiceAccountToken: {{ .token | default false }}
# a Service's name in the environment would look like a setting
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .grace | default 30 }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .root.Values.pods.runAs | int64 }}
  runAsGroup: {{ .root.Values.pods.runAs | int64 }}
  fsGroup: {{ .root.Values.pods.runAs | int64 }}
  seccompProfile:
    type: RuntimeDefault
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.pods.spreadOver }}
topologySpreadConstraints:
  {{- range . }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "mien.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* What all containers have. Arguments: root, image, resources. */}}
{{- define "mien.container" -}}
image: {{ include "mien.image" . | quote }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml .resources | nindent 2 }}
{{- end -}}

{{/* The labels and annotations of pods. Arguments: as mien.selector, values, checksum (of their settings). */}}
{{- define "mien.podMetadata" -}}
labels:
  {{- include "mien.podLabels" . | nindent 2 }}
{{- $annotations := dict }}
{{- with .checksum }}
{{- $annotations = dict "checksum/settings" . }}
{{- end }}
{{- with merge $annotations (.values.podAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
