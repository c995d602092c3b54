// Command kubernetes is every Kubernetes process of the test cluster in one program, so that they share
// one compile, one file and its pages in memory: kubernetes kube-apiserver --etcd-servers …
package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

var processes = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": controllermanager.NewControllerManagerCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
	"kube-proxy":              proxy.NewProxyCommand,
	"kubectl":                 func() *cobra.Command { return kubectl.NewDefaultKubectlCommand() },
}

func main() {
	// By the name that it is called by (a link named kubectl), or by its first argument.
	args := os.Args
	if _, known := processes[filepath.Base(args[0])]; !known && len(args) > 1 {
		args = args[1:]
	}
	process, known := processes[filepath.Base(args[0])]
	if !known {
		fmt.Fprintln(os.Stderr, "usage: kubernetes PROCESS [FLAG...], where PROCESS is one of", slices.Sorted(maps.Keys(processes)))
		os.Exit(2)
	}
	os.Args = args
	os.Exit(cli.Run(process()))
}
