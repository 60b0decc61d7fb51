{{/*
The pod template of a Ray node; KubeRay makes its command of rayStartParams. Arguments: root, kind (head or worker),
values (of the kind), resources.
*/}}
{{- define "mien.rayPod" -}}
{{- $serving := .root.Values.serving -}}
{{- $names := dict "root" .root "component" "serving" -}}
{{- $values := merge (dict "podAnnotations" $serving.podAnnotations "priorityClassName" $serving.priorityClassName) .values -}}
{{- $checksum := include (print .root.Template.BasePath "/serving-configmap.yaml") .root | sha256sum -}}
metadata:
  {{- include "mien.podMetadata" (merge (dict "values" $values "checksum" $checksum) $names) | nindent 2 }}
spec:
  {{- include "mien.pod" (merge (dict "values" $values "serviceAccount" (print (include "mien.fullname" .root) "-serving") "grace" 60) $names) | nindent 2 }}
  containers:
    - name: ray-{{ .kind }}
      {{- include "mien.container" (dict "root" .root "image" "serving" "resources" .resources) | nindent 6 }}
      envFrom:
        - configMapRef:
            name: {{ include "mien.fullname" .root }}-serving
      # each by itself, and not envFrom: KubeRay hands these on to the container that waits for the head
      env:
        - name: RAY_AUTH_MODE
          value: token
        {{- include "mien.env.ray" (dict "root" .root "name" "RAY_AUTH_TOKEN") | nindent 8 }}
        {{- include "mien.env.comparisons" (dict "root" .root "name" "MIEN_COMPARISONS__TOKEN") | nindent 8 }}
        {{- with include "mien.env.s3" .root }}{{ . | nindent 8 }}{{ end }}
        {{- with include "mien.env.own" (merge (dict "path" "serving") $serving) }}{{ . | nindent 8 }}{{ end }}
      ports:
        {{- if eq .kind "head" }}
        - {name: gcs, containerPort: 6379}
        - {name: dashboard, containerPort: 8265}
        - {name: serve, containerPort: 8000}
        {{- end }}
        - {name: agent, containerPort: 52365}
        - {name: metrics, containerPort: 8080}
      startupProbe:
        httpGet: {path: /api/local_raylet_healthz, port: agent}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 60
      readinessProbe:
        {{- if eq .kind "head" }}
        httpGet: {path: /api/gcs_healthz, port: dashboard}
        {{- else }}
        httpGet: {path: /api/local_raylet_healthz, port: agent}
        {{- end }}
        periodSeconds: 5
        timeoutSeconds: 5
      livenessProbe:
        httpGet: {path: /api/local_raylet_healthz, port: agent}
        periodSeconds: 10
        timeoutSeconds: 10
        failureThreshold: 6
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: shared-memory, mountPath: /dev/shm}
        - {name: artifacts, mountPath: /var/cache/mien}
  volumes:
    - name: tmp
      emptyDir: {}
    - name: shared-memory
      emptyDir: {medium: Memory, sizeLimit: 2Gi}
    - name: artifacts
      emptyDir: {sizeLimit: {{ $serving.workers.cacheSize }}}
{{- end -}}
