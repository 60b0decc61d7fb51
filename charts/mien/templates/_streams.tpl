{{/*
What a role needs besides PostgreSQL and Kafka: s3 (the bucket), serving (the router), webhooks (their key), erasure (its key).
A test compares it with mien_streams.wiring.
*/}}
{{- define "mien.streams.needs" -}}
analyse-face: [s3, serving]
render-poster: [s3, serving]
render-tryon: [s3, serving]
erase-user: [s3, erasure]
sweep-erased: [s3]
retention: [s3]
webhooks: [webhooks]
{{- end -}}

{{/* The names of the roles that run, as a list in YAML; webhooks only where they have a key. */}}
{{- define "mien.streams.roles" -}}
{{- range $role, $values := .Values.streams.roles }}
{{- if and $values.enabled (or (ne $role "webhooks") $.Values.webhooks.existingSecret) }}
- {{ $role }}
{{- end }}
{{- end }}
{{- end -}}
