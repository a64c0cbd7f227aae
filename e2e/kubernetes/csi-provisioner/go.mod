module commonscloud.coop/e2e/kubernetes/csi-provisioner

go 1.26.0

tool github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner

require github.com/kubernetes-csi/external-provisioner/v6 v6.4.0
