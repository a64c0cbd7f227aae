{{/* The labels of everything in this chart. */}}
{{- define "commonscloud.labels" -}}
app.kubernetes.io/name: commonscloud-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: commonscloud
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* What selects the operator's pods. */}}
{{- define "commonscloud.selector" -}}
app.kubernetes.io/name: commonscloud-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The labels of the hooks' pods: neither the operator's Service nor its Deployment selects them. */}}
{{- define "commonscloud.hookLabels" -}}
{{ include "commonscloud.labels" . | replace "kubernetes.io/name: commonscloud-operator" "kubernetes.io/name: commonscloud-hook" }}
{{- end }}

{{/* The operator as the API server knows it. */}}
{{- define "commonscloud.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ .Values.serviceAccount.name }}
{{- end }}

{{/* The namespace of drills: longer than a name of an Entity can be. */}}
{{- define "commonscloud.drills" -}}
commonscloud-drill-scratch-namespace
{{- end }}

{{- define "commonscloud.image" -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}

{{/* Where it listens; an address of IPv6 stands in brackets. */}}
{{- define "commonscloud.listen" -}}
{{ printf (ternary "[%s]:%v" "%s:%v" (contains ":" .Values.listen.address)) .Values.listen.address .Values.listen.port }}
{{- end }}

{{/* The image of the Jobs of backups and restores. */}}
{{- define "commonscloud.backupImage" -}}
{{ printf "%s:%s" .Values.backup.image.repository (.Values.backup.image.tag | default .Chart.AppVersion) }}
{{- end }}

{{/* The image of the servers of volumes that backups go to. */}}
{{- define "commonscloud.backupServerImage" -}}
{{ printf "%s:%s" .Values.backup.server.image.repository .Values.backup.server.image.tag }}
{{- end }}

{{/* The Platform and the Tariffs of the values, as a JSON list. They stay when the release is uninstalled.
     Helm's own annotations are said, so that an upgrade knows what a hook has made for its own. */}}
{{- define "commonscloud.declared" -}}
{{- $annotations := dict "helm.sh/resource-policy" "keep" "meta.helm.sh/release-name" .Release.Name "meta.helm.sh/release-namespace" .Release.Namespace }}
{{- $labels := include "commonscloud.labels" . | fromYaml }}
{{- $objects := list }}
{{- if .Values.platform.create }}
{{- $metadata := dict "name" "default" "labels" $labels "annotations" $annotations }}
{{- $objects = append $objects (dict "apiVersion" "commonscloud.coop/v1alpha1" "kind" "Platform" "metadata" $metadata "spec" .Values.platform.spec) }}
{{- end }}
{{- range $name, $spec := .Values.tariffs }}
{{- $metadata := dict "name" $name "labels" $labels "annotations" $annotations }}
{{- $objects = append $objects (dict "apiVersion" "commonscloud.coop/v1alpha1" "kind" "Tariff" "metadata" $metadata "spec" $spec) }}
{{- end }}
{{- toJson $objects }}
{{- end }}

{{/* Whether a hook has to write them: Helm looks kinds up before it installs their CRDs. */}}
{{- define "commonscloud.declaresByHook" -}}
{{- if and (or .Values.platform.create .Values.tariffs) (not (.Capabilities.APIVersions.Has "commonscloud.coop/v1alpha1/Platform")) }}true{{ end }}
{{- end }}

{{/* The pod of a hook: (dict "root" $ "arguments" (list ...) "configMap" "name of one, or nothing"). */}}
{{- define "commonscloud.hookPod" -}}
serviceAccountName: {{ .root.Values.serviceAccount.name }}-hooks
automountServiceAccountToken: true
restartPolicy: Never
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
containers:
- name: hook
  image: {{ include "commonscloud.image" .root | quote }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args: {{- toYaml .arguments | nindent 2 }}
  env:
  - name: POD_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: [ALL]}
  {{- if .configMap }}
  volumeMounts:
  - {name: declared, mountPath: /etc/commonscloud, readOnly: true}
  {{- end }}
{{- if .configMap }}
volumes:
- name: declared
  configMap: {name: {{ .configMap }}}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}
