// Package install applies the payload, and remembers what has been applied.
package install

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"

	"github.com/tektoncd/operator/pkg/cluster"
	"github.com/tektoncd/operator/pkg/images"
	"github.com/tektoncd/operator/pkg/payload"
)

// A Cluster is what an Installer needs of one.
type Cluster interface {
	Apply(ctx context.Context, object map[string]any, subresource ...string) error
	Get(ctx context.Context, object map[string]any) (map[string]any, error)
}

// An Installer applies the components of kodata that are its part.
type Installer struct {
	Cluster Cluster
	// Name tells installers of one operator apart.
	Name string
	// Namespace is where it keeps its memory.
	Namespace string
	// Version is the operator's: what was applied by another version is applied again, and nothing else is.
	Version string
	// Kodata is the folder of the payload.
	Kodata string
	// Part says which components are its own.
	Part func(component string) bool
	// Environment holds the IMAGE_* variables.
	Environment []string
}

// Run applies every component of its part that this version has not applied yet.
func (i *Installer) Run(ctx context.Context) error {
	components, err := payload.Components(i.Kodata)
	if err != nil {
		return err
	}
	applied, err := i.recall(ctx)
	if err != nil {
		return err
	}
	installed := map[string]any{}
	for _, component := range components {
		if !i.Part(component.Name) {
			continue
		}
		installed[component.Name] = component.Version
		if applied[component.Name] == i.Version {
			log.Printf("%s: applied by %s already", component.Name, i.Version)
			continue
		}
		if err := i.apply(ctx, component); err != nil {
			return fmt.Errorf("%s: %w", component.Name, err)
		}
		applied[component.Name] = i.Version
		if err := i.remember(ctx, applied); err != nil {
			return err
		}
	}
	return i.report(ctx, installed)
}

func (i *Installer) apply(ctx context.Context, component payload.Component) error {
	objects, err := component.Objects()
	if err != nil {
		return err
	}
	// Namespaces and kinds come before what needs them; all else stays in the order of the files.
	slices.SortStableFunc(objects, func(a, b payload.Object) int { return rank(a) - rank(b) })
	overrides := images.ForComponent(component.Name, i.Environment)
	log.Printf("%s %s: applying %d objects", component.Name, component.Version, len(objects))
	for _, object := range objects {
		overrides.Apply(object)
		if err := i.Cluster.Apply(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

func rank(object payload.Object) int {
	switch object["kind"] {
	case "Namespace":
		return 0
	case "CustomResourceDefinition":
		return 1
	default:
		return 2
	}
}

// memory is the ConfigMap that holds, by component, the version that applied it.
func (i *Installer) memory(data map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": "v1",
		"kind":       "ConfigMap",
		"metadata":   map[string]any{"name": "tekton-operator-" + i.Name, "namespace": i.Namespace},
		"data":       data,
	}
}

func (i *Installer) remember(ctx context.Context, applied map[string]any) error {
	return i.Cluster.Apply(ctx, i.memory(applied))
}

func (i *Installer) recall(ctx context.Context) (map[string]any, error) {
	found, err := i.Cluster.Get(ctx, i.memory(nil))
	if errors.Is(err, cluster.ErrNotFound) {
		return map[string]any{}, nil
	}
	if err != nil {
		return nil, err
	}
	applied, _ := found["data"].(map[string]any)
	if applied == nil {
		applied = map[string]any{}
	}
	return applied, nil
}

// report writes a TektonConfig that says what is installed. Each installer has one of its own.
func (i *Installer) report(ctx context.Context, installed map[string]any) error {
	config := func(field string, value map[string]any) map[string]any {
		return map[string]any{
			"apiVersion": "operator.tekton.dev/v1alpha1",
			"kind":       "TektonConfig",
			"metadata":   map[string]any{"name": i.Name},
			field:        value,
		}
	}
	if err := i.Cluster.Apply(ctx, config("spec", map[string]any{"profile": "all"})); err != nil {
		return err
	}
	status := map[string]any{"version": i.Version, "components": installed}
	return i.Cluster.Apply(ctx, config("status", status), "status")
}
