{{- define "throughline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "throughline.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "throughline.selector" -}}
app.kubernetes.io/name: {{ include "throughline.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "throughline.labels" -}}
{{ include "throughline.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "throughline.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The cluster file. What is in config.extra wins. */ -}}
{{- define "throughline.config" -}}
{{- $config := .Values.config -}}
{{- $file := dict
  "apiVersion" "throughline.dev/v1"
  "kind" "Cluster"
  "metadata" (dict "name" $config.name)
  "listen" (dict "public" (dict "addr" "127.0.0.1:7400") "metrics" (dict "addr" "127.0.0.1:7402"))
  "storage" (dict "dir" "/var/lib/throughline" "memory" "60%")
  "sources" (dict "kafka" (dict "brokers" $config.kafka.brokers) "legs" $config.legs)
  "sinks" (dict "kafka" (dict "exactlyOnce" $config.exactlyOnce))
  "log" (dict "format" "json")
-}}
{{- with .Values.objects -}}
{{- if .url -}}
{{- $s3 := dict "region" .region -}}
{{- if .endpoint -}}{{- $_ := set $s3 "endpoint" .endpoint -}}{{- end -}}
{{- $_ := set $file.storage "objects" .url -}}
{{- $_ := set $file.storage "s3" $s3 -}}
{{- end -}}
{{- end -}}
{{- if .Values.scenarios -}}
{{- $_ := set $file "scenarios" (dict "dir" "/etc/throughline-scenarios") -}}
{{- end -}}
{{- toYaml (mergeOverwrite $file $config.extra) -}}
{{- end -}}

{{- /* The node listens on the loopback interface, where the kubelet's own HTTP probes cannot reach it. */ -}}
{{- define "throughline.healthz" -}}
exec:
  command:
    - /bin/bash
    - -c
    - >-
      exec 3<>/dev/tcp/127.0.0.1/7402;
      printf 'GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n' >&3;
      read -r _ status _ <&3; [ "$status" = 200 ]
timeoutSeconds: 5
{{- end -}}
