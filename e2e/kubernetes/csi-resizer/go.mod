module commonscloud.coop/e2e/kubernetes/csi-resizer

go 1.25.0

tool github.com/kubernetes-csi/external-resizer/v2/cmd/csi-resizer

require github.com/kubernetes-csi/external-resizer/v2 v2.3.0
