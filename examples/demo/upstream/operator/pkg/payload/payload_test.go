package payload

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestVersionsAreOrderedAsSemverSays(t *testing.T) {
	ordered := strings.Fields("0.9.0 0.69.0-rc.1 0.69.0-rc.2 0.69.0-rc.10 0.69.0-t1a2b3c 0.69.0-t1a2b3c.1 0.69.0 0.69.1 0.100.0 1.0.0")
	for i := 1; i < len(ordered); i++ {
		lower, okLower := parseVersion(ordered[i-1])
		higher, okHigher := parseVersion(ordered[i])
		if !okLower || !okHigher || lower.compare(higher) >= 0 || higher.compare(lower) <= 0 {
			t.Errorf("%s is not below %s", ordered[i-1], ordered[i])
		}
	}
	for _, name := range strings.Fields("v1.0.0 1.0 00-prereconcile 01.2.3 static") {
		if _, ok := parseVersion(name); ok {
			t.Errorf("%s is no version", name)
		}
	}
}

func TestComponentsTakeTheHighestVersion(t *testing.T) {
	root := t.TempDir()
	for _, path := range strings.Fields(`one/00-prereconcile/a.yaml one/0.9.0/old.yaml one/0.10.0/01-c.yaml one/0.10.0/00-b.yaml
		one/0.10.0-rc.1/d.yaml one/0.10.0/notes.txt two/e.yml README.md`) {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	components, err := Components(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, component := range components {
		got = append(got, component.Name+"@"+component.Version)
		for _, file := range component.Files {
			got = append(got, strings.TrimPrefix(file, root+"/"))
		}
	}
	want := "one@0.10.0 one/00-prereconcile/a.yaml one/0.10.0/00-b.yaml one/0.10.0/01-c.yaml two@ two/e.yml"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
}

func TestTheShippedPayloadCanBeRead(t *testing.T) {
	components, err := Components("../../cmd/openshift/operator/kodata")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, component := range components {
		objects, err := component.Objects()
		if err != nil {
			t.Fatal(err)
		}
		for _, object := range objects {
			seen[object["kind"].(string)+"/"+object["metadata"].(Object)["name"].(string)] = true
		}
	}
	// The second is an item of a List.
	for _, name := range []string{"Deployment/tekton-pipelines-controller", "ConfigMap/config-images", "ClusterRole/pipelines-scc-clusterrole",
		"CustomResourceDefinition/repositories.pipelinesascode.tekton.dev", "ConfigMap/console-samples"} {
		if !seen[name] {
			t.Errorf("%s is missing in %v", name, seen)
		}
	}
}
