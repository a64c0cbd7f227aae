{{/* The labels of everything in this chart. */}}
{{- define "commonscloud.labels" -}}
app.kubernetes.io/name: commonscloud-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What selects the operator's pods. */}}
{{- define "commonscloud.selector" -}}
app.kubernetes.io/name: commonscloud-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The operator as the API server knows it. */}}
{{- define "commonscloud.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.serviceAccount.name }}
{{- end }}
