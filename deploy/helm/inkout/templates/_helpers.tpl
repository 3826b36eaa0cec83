{{- define "inkout.labels" -}}
app.kubernetes.io/name: inkout
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "inkout.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}-inkout
{{- end }}
