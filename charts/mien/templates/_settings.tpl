{{/* Settings of every process. */}}
{{- define "mien.settings.telemetry" -}}
MIEN_TELEMETRY__LOG_FORMAT: json
MIEN_TELEMETRY__LOG_LEVEL: {{ .Values.telemetry.logLevel }}
{{- with .Values.telemetry.otlpEndpoint }}
MIEN_TELEMETRY__OTLP_ENDPOINT: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The object store, but for its keys. */}}
{{- define "mien.settings.s3" -}}
MIEN_S3__BUCKET: {{ .Values.s3.bucket }}
MIEN_S3__REGION: {{ .Values.s3.region }}
{{- with .Values.s3.endpoint }}
MIEN_S3__ENDPOINT: {{ . | quote }}
{{- end }}
{{- with .Values.s3.publicEndpoint }}
MIEN_S3__PUBLIC_ENDPOINT: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* One variable out of a Secret. Arguments: name, secret, key. */}}
{{- define "mien.env.secret" -}}
- name: {{ .name }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end -}}

{{/* PostgreSQL's URL. */}}
{{- define "mien.env.postgres" -}}
{{- $secret := required "postgres.existingSecret: the name of the Secret that holds PostgreSQL's URL" .Values.postgres.existingSecret -}}
{{ include "mien.env.secret" (dict "name" "MIEN_POSTGRES__URL" "secret" $secret "key" .Values.postgres.urlKey) }}
- name: MIEN_POSTGRES__POOL_MAX
  value: {{ .Values.postgres.poolMax | quote }}
{{- end -}}

{{/* The object store's keys; none with workload identity. */}}
{{- define "mien.env.s3" -}}
{{- with .Values.s3 -}}
{{- if .existingSecret -}}
{{ include "mien.env.secret" (dict "name" "MIEN_S3__ACCESS_KEY_ID" "secret" .existingSecret "key" .accessKeyIdKey) }}
{{ include "mien.env.secret" (dict "name" "MIEN_S3__SECRET_ACCESS_KEY" "secret" .existingSecret "key" .secretAccessKeyKey) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The key of webhooks. */}}
{{- define "mien.env.webhooks" -}}
{{- with .Values.webhooks -}}
{{- if .existingSecret -}}
{{ include "mien.env.secret" (dict "name" "MIEN_WEBHOOKS__KEY" "secret" .existingSecret "key" .keyKey) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What proves erasures. */}}
{{- define "mien.env.erasure" -}}
{{- $secret := required "erasure.existingSecret: the name of the Secret with the key that certificates of erasure are signed with" .Values.erasure.existingSecret -}}
{{ include "mien.env.secret" (dict "name" "MIEN_ERASURE__SIGNING_KEY" "secret" $secret "key" .Values.erasure.signingKeyKey) }}
{{- end -}}

{{/* Redis' URL. */}}
{{- define "mien.env.redis" -}}
{{- with .Values.redis -}}
{{- if .existingSecret -}}
{{ include "mien.env.secret" (dict "name" "MIEN_REDIS__URL" "secret" .existingSecret "key" .urlKey) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The token that Ray asks for. Arguments: root, name (of the variable). */}}
{{- define "mien.env.ray" -}}
{{- with .root.Values.serving.auth -}}
{{- $secret := required "serving.auth.existingSecret: the name of the Secret with the token that Ray asks for" .existingSecret -}}
{{ include "mien.env.secret" (dict "name" $.name "secret" $secret "key" .tokenKey) }}
{{- end -}}
{{- end -}}

{{/* The token that whoever reads comparisons shows; none without that key. Arguments: root, name (of the variable). */}}
{{- define "mien.env.comparisons" -}}
{{- with .root.Values.serving.auth -}}
- name: {{ $.name }}
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .comparisonsTokenKey }}
      optional: true
{{- end -}}
{{- end -}}

{{/* Settings that are secrets: never plain ones. A test compares them with the code. */}}
{{- define "mien.settings.secret" -}}
- MIEN_COMPARISONS__TOKEN
- MIEN_ERASURE__SIGNING_KEY
- MIEN_INSIGHTS__ACCESS_KEY_ID
- MIEN_INSIGHTS__SECRET_ACCESS_KEY
- MIEN_INTERNAL_API__KEY
- MIEN_POSTERS__PAYMENT_SECRET
- MIEN_POSTGRES__URL
- MIEN_REDIS__URL
- MIEN_ROLLOUTS__ROUTER_TOKEN
- MIEN_ROLLOUTS__SERVE_TOKEN
- MIEN_S3__ACCESS_KEY_ID
- MIEN_S3__SECRET_ACCESS_KEY
- MIEN_WEBHOOKS__KEY
- MIEN_WEBHOOKS__OLDER_KEYS
- RAY_AUTH_TOKEN
{{- end -}}

{{/* What a component's own values add. Arguments: settings, secretSettings, path (of both among the values). */}}
{{- define "mien.env.own" -}}
{{- $secret := include "mien.settings.secret" . | fromYamlArray -}}
{{- range $name, $value := .settings }}
{{- if has $name $secret }}
{{- fail (printf "%s.settings: %s is a secret; put it into a Secret and name that in %s.secretSettings" $.path $name $.path) }}
{{- end }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- range $name, $from := .secretSettings }}
{{ include "mien.env.secret" (dict "name" $name "secret" $from.secret "key" $from.key) }}
{{- end }}
{{- end -}}
