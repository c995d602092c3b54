package install

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tektoncd/operator/pkg/cluster"
)

// apiServer is the part of a Kubernetes API server that the operator speaks to. It knows a custom kind once its CRD was applied.
type apiServer struct {
	mutex   sync.Mutex
	objects map[string]map[string]any
	patched []string
	refuse  string
}

var groups = map[string]string{
	"/api/v1":                            `{"resources":[{"name":"configmaps","kind":"ConfigMap","namespaced":true},{"name":"configmaps/status","kind":"ConfigMap"},{"name":"namespaces","kind":"Namespace"}]}`,
	"/apis/apps/v1":                      `{"resources":[{"name":"deployments","kind":"Deployment","namespaced":true}]}`,
	"/apis/apiextensions.k8s.io/v1":      `{"resources":[{"name":"customresourcedefinitions","kind":"CustomResourceDefinition"}]}`,
	"/apis/operator.tekton.dev/v1alpha1": `{"resources":[{"name":"tektonconfigs","kind":"TektonConfig"},{"name":"tektonconfigs/status","kind":"TektonConfig"}]}`,
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	path := r.URL.Path
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		w.WriteHeader(http.StatusUnauthorized)
	case groups[path] != "":
		_, _ = io.WriteString(w, groups[path])
	case path == "/apis/example.com/v1" && s.objects["/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com"] != nil:
		_, _ = io.WriteString(w, `{"resources":[{"name":"things","kind":"Thing","namespaced":true}]}`)
	case r.Method == http.MethodGet && s.objects[path] != nil:
		_ = json.NewEncoder(w).Encode(s.objects[path])
	case r.Method == http.MethodPatch && path == s.refuse:
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, `{"message":"try again"}`)
	case r.Method == http.MethodPatch && r.Header.Get("Content-Type") == "application/apply-patch+yaml" && r.URL.Query().Get("fieldManager") != "":
		var object map[string]any
		_ = json.NewDecoder(r.Body).Decode(&object)
		s.objects[path] = object
		s.patched = append(s.patched, path)
		_, _ = io.WriteString(w, `{}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestRun(t *testing.T) {
	api := &apiServer{objects: map[string]map[string]any{}}
	server := httptest.NewServer(api)
	defer server.Close()
	kodata := t.TempDir()
	write(t, filepath.Join(kodata, "tekton-pipeline/1.0.0/00.yaml"), manifests("old"))
	write(t, filepath.Join(kodata, "tekton-pipeline/1.1.0/00.yaml"), manifests("1.1.0"))
	write(t, filepath.Join(kodata, "others/1.0.0/00.yaml"), manifests("of others"))
	installer := func(version string) *Installer {
		return &Installer{
			Cluster:     &cluster.Client{Server: server.URL, Namespace: "operators", Token: func() (string, error) { return "secret", nil }, HTTP: server.Client()},
			Name:        "lifecycle",
			Namespace:   "operators",
			Version:     version,
			Kodata:      kodata,
			Part:        func(component string) bool { return component == "tekton-pipeline" },
			Environment: []string{"IMAGE_PIPELINES_MAIN=registry/new@sha256:1"},
		}
	}
	const deployment, message = "/apis/apps/v1/namespaces/one/deployments/main", "/api/v1/namespaces/one/configmaps/message"

	// A refusal in the middle is an error, and the next run goes on.
	api.refuse = deployment
	if err := installer("1.7.0-ta").Run(context.Background()); err == nil || !strings.Contains(err.Error(), "try again") {
		t.Fatalf("want an error, got %v", err)
	}
	api.refuse = ""
	if err := installer("1.7.0-ta").Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	order := strings.Join(api.patched[len(api.patched)-8:], "\n")
	want := strings.Join([]string{
		"/api/v1/namespaces/one", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com",
		message, "/apis/example.com/v1/namespaces/operators/things/first", deployment,
		"/api/v1/namespaces/operators/configmaps/tekton-operator-lifecycle",
		"/apis/operator.tekton.dev/v1alpha1/tektonconfigs/lifecycle", "/apis/operator.tekton.dev/v1alpha1/tektonconfigs/lifecycle/status",
	}, "\n")
	if order != want {
		t.Errorf("applied\n%s\nwant\n%s", order, want)
	}
	if image, _ := json.Marshal(api.objects[deployment]); !strings.Contains(string(image), "registry/new@sha256:1") {
		t.Errorf("the image is not replaced: %s", image)
	}
	if text := data(api, message); text != "1.1.0" {
		t.Errorf("the highest version is not applied: %s", text)
	}

	// The same version applies nothing again; another one does.
	write(t, filepath.Join(kodata, "tekton-pipeline/1.1.0/00.yaml"), manifests("changed"))
	if err := installer("1.7.0-ta").Run(context.Background()); err != nil || data(api, message) != "1.1.0" {
		t.Errorf("the same version: %v, %s", err, data(api, message))
	}
	if err := installer("1.7.0-tb").Run(context.Background()); err != nil || data(api, message) != "changed" {
		t.Errorf("another version: %v, %s", err, data(api, message))
	}
}

func data(api *apiServer, path string) any {
	fields, _ := api.objects[path]["data"].(map[string]any)
	return fields["text"]
}

func manifests(text string) string {
	return strings.ReplaceAll(`
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: message, namespace: one}, data: {text: "TEXT"}}
---
apiVersion: example.com/v1
kind: Thing
metadata:
  name: first
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: main, namespace: one}
spec: {template: {spec: {containers: [{name: main, image: old}]}}}
---
apiVersion: v1
kind: Namespace
metadata: {name: one}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
`, "TEXT", text)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
