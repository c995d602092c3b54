import type { FileSet } from '../repositories/file-set.ts';

const groups = [
  'admission',
  'apps',
  'autoscaling',
  'batch',
  'caching',
  'certificates',
  'coordination',
  'discovery',
  'events',
  'extensions',
  'networking',
  'policies',
  'rbac',
  'resolution',
  'results',
  'runs',
  'scheduling',
  'serving',
  'storage',
  'tasks',
];
const kindsOfGroup = 24;
/** Smaller components have that many. */
const fewGroups = 6;

/**
 * What a real upstream has far more of than a demo: packages of API types with deep copies, comparison, validation, typed clients and
 * stores, written by generators and compiled into every program. With them a component takes half a minute of a processor to
 * compile, and a program has some thirty megabytes. Every main package gets a file that registers all kinds, so that the linker keeps them.
 */
export function withGeneratedApis(files: FileSet, amount: 'many' | 'some'): FileSet {
  const module = /^module (\S+)/m.exec(files.get('go.mod')?.content ?? '')?.[1];
  const chosen = amount === 'many' ? groups : groups.slice(0, fewGroups);
  if (module === undefined) return files;
  const all = new Map(files);
  const add = (path: string, text: string) =>
    all.set(path, {
      content: `// Code generated for the demo. DO NOT EDIT.\n\n${text}`,
      executable: false,
    });
  add('pkg/apis/machinery/machinery.go', machinery);
  for (const group of chosen) {
    const kinds = Array.from(
      { length: kindsOfGroup },
      (_, index) => `${capital(group)}Kind${index + 1}`,
    );
    const folder = `pkg/apis/${group}/v1`;
    add(`${folder}/types.go`, `package v1\n${kinds.map((kind) => ofKind(types, kind)).join('')}`);
    add(
      `${folder}/zz_generated.deepcopy.go`,
      `package v1\n${kinds.map((kind) => ofKind(deepCopy, kind)).join('')}`,
    );
    add(
      `${folder}/zz_generated.equal.go`,
      `package v1\n${kinds.map((kind) => ofKind(equal, kind)).join('')}`,
    );
    add(
      `${folder}/validation.go`,
      `package v1\n\nimport "fmt"\n${kinds.map((kind) => ofKind(validation, kind)).join('')}`,
    );
    const registered = kinds
      .map((kind) => `\tmachinery.Register[${kind}, *${kind}]("${kind}")\n`)
      .join('');
    add(
      `${folder}/register.go`,
      `package v1\n\nimport "${module}/pkg/apis/machinery"\n\nfunc init() {\n${registered}}\n`,
    );
  }
  const imports = chosen
    .toSorted()
    .map((group) => `\t_ "${module}/pkg/apis/${group}/v1"\n`)
    .join('');
  for (const path of files.keys())
    if (/^cmd\/.*\/main\.go$/.test(path))
      add(
        path.replace(/main\.go$/, 'zz_generated.apis.go'),
        `package main\n\nimport (\n${imports})\n`,
      );
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function ofKind(template: string, kind: string): string {
  return template.replaceAll('KIND', kind);
}

const machinery = `// Package machinery is what all kinds share: clients, stores and the scheme that knows them.
package machinery

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"sync"
)

// Object is a pointer to an API type.
type Object[T any] interface {
	*T
	GetName() string
	DeepCopyInto(*T)
	Equal(*T) bool
	Validate() []string
}

// Scheme makes a list of any kind by its name.
var Scheme = map[string]func(context.Context, string) (any, error){}

// Register makes a kind known.
func Register[T any, P Object[T]](kind string) {
	Scheme[kind] = func(ctx context.Context, base string) (any, error) {
		client := Client[T, P]{Base: base + "/" + kind}
		store := Store[T, P]{items: map[string]T{}}
		if err := client.Each(ctx, store.Put); err != nil {
			return nil, err
		}
		for _, object := range store.List() {
			if err := client.Update(ctx, &object); err != nil {
				return nil, err
			}
		}
		return store.List(), nil
	}
}

// Client reads and writes objects of one kind.
type Client[T any, P Object[T]] struct{ Base string }

// Each calls use for every object.
func (c *Client[T, P]) Each(ctx context.Context, use func(T)) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Base, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var list struct{ Items []T }
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		return fmt.Errorf("list %s: %w", c.Base, err)
	}
	for _, item := range list.Items {
		use(item)
	}
	return nil
}

// Update writes an object that is valid.
func (c *Client[T, P]) Update(ctx context.Context, object *T) error {
	if problems := P(object).Validate(); len(problems) > 0 {
		return fmt.Errorf("%s is invalid: %v", P(object).GetName(), problems)
	}
	data, err := json.Marshal(object)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, c.Base+"/"+P(object).GetName(), bytes.NewReader(data))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Store keeps copies of objects of one kind.
type Store[T any, P Object[T]] struct {
	lock     sync.RWMutex
	items    map[string]T
	watchers []func(before, after T)
}

// Put keeps a copy, and tells watchers where it differs from what was there.
func (s *Store[T, P]) Put(object T) {
	s.lock.Lock()
	defer s.lock.Unlock()
	name := P(&object).GetName()
	before, found := s.items[name]
	if found && P(&before).Equal(&object) {
		return
	}
	var kept T
	P(&object).DeepCopyInto(&kept)
	s.items[name] = kept
	for _, watch := range s.watchers {
		watch(before, kept)
	}
}

// List gives copies of all objects, by name.
func (s *Store[T, P]) List() []T {
	s.lock.RLock()
	defer s.lock.RUnlock()
	names := make([]string, 0, len(s.items))
	for name := range s.items {
		names = append(names, name)
	}
	sort.Strings(names)
	list := make([]T, len(names))
	for i, name := range names {
		object := s.items[name]
		P(&object).DeepCopyInto(&list[i])
	}
	return list
}
`;

const types = `
type KIND struct {
	Name        string
	Namespace   string
	Labels      map[string]string
	Annotations map[string]string
	Generation  int64
	Spec        KINDSpec
	Status      KINDStatus
}

type KINDSpec struct {
	Description string
	Replicas    *int32
	Parameters  []KINDParameter
	Workspaces  map[string]KINDParameter
	Selector    map[string][]string
	Paused      bool
}

type KINDParameter struct {
	Name    string
	Type    string
	Default *string
	Values  []string
}

type KINDStatus struct {
	Ready      bool
	Observed   int64
	Conditions []KINDParameter
	Results    map[string]string
}

func (o *KIND) GetName() string { return o.Name }
`;

const deepCopy = `
func (in *KIND) DeepCopyInto(out *KIND) {
	*out = *in
	if in.Labels != nil {
		out.Labels = make(map[string]string, len(in.Labels))
		for key, value := range in.Labels {
			out.Labels[key] = value
		}
	}
	if in.Annotations != nil {
		out.Annotations = make(map[string]string, len(in.Annotations))
		for key, value := range in.Annotations {
			out.Annotations[key] = value
		}
	}
	in.Spec.DeepCopyInto(&out.Spec)
	in.Status.DeepCopyInto(&out.Status)
}

func (in *KINDSpec) DeepCopyInto(out *KINDSpec) {
	*out = *in
	if in.Replicas != nil {
		value := *in.Replicas
		out.Replicas = &value
	}
	if in.Parameters != nil {
		out.Parameters = make([]KINDParameter, len(in.Parameters))
		for i := range in.Parameters {
			in.Parameters[i].DeepCopyInto(&out.Parameters[i])
		}
	}
	if in.Workspaces != nil {
		out.Workspaces = make(map[string]KINDParameter, len(in.Workspaces))
		for key, value := range in.Workspaces {
			var copied KINDParameter
			value.DeepCopyInto(&copied)
			out.Workspaces[key] = copied
		}
	}
	if in.Selector != nil {
		out.Selector = make(map[string][]string, len(in.Selector))
		for key, values := range in.Selector {
			out.Selector[key] = append([]string(nil), values...)
		}
	}
}

func (in *KINDParameter) DeepCopyInto(out *KINDParameter) {
	*out = *in
	if in.Default != nil {
		value := *in.Default
		out.Default = &value
	}
	out.Values = append([]string(nil), in.Values...)
}

func (in *KINDStatus) DeepCopyInto(out *KINDStatus) {
	*out = *in
	if in.Conditions != nil {
		out.Conditions = make([]KINDParameter, len(in.Conditions))
		for i := range in.Conditions {
			in.Conditions[i].DeepCopyInto(&out.Conditions[i])
		}
	}
	if in.Results != nil {
		out.Results = make(map[string]string, len(in.Results))
		for key, value := range in.Results {
			out.Results[key] = value
		}
	}
}
`;

const equal = `
func (a *KIND) Equal(b *KIND) bool {
	if a.Name != b.Name || a.Namespace != b.Namespace || a.Generation != b.Generation || len(a.Labels) != len(b.Labels) || len(a.Annotations) != len(b.Annotations) {
		return false
	}
	for key, value := range a.Labels {
		if other, found := b.Labels[key]; !found || value != other {
			return false
		}
	}
	for key, value := range a.Annotations {
		if other, found := b.Annotations[key]; !found || value != other {
			return false
		}
	}
	return a.Spec.Equal(&b.Spec) && a.Status.Equal(&b.Status)
}

func (a *KINDSpec) Equal(b *KINDSpec) bool {
	if a.Description != b.Description || a.Paused != b.Paused || (a.Replicas == nil) != (b.Replicas == nil) || len(a.Parameters) != len(b.Parameters) || len(a.Workspaces) != len(b.Workspaces) {
		return false
	}
	if a.Replicas != nil && *a.Replicas != *b.Replicas {
		return false
	}
	for i := range a.Parameters {
		if !a.Parameters[i].Equal(&b.Parameters[i]) {
			return false
		}
	}
	for key, value := range a.Workspaces {
		other, found := b.Workspaces[key]
		if !found || !value.Equal(&other) {
			return false
		}
	}
	return true
}

func (a *KINDParameter) Equal(b *KINDParameter) bool {
	if a.Name != b.Name || a.Type != b.Type || len(a.Values) != len(b.Values) || (a.Default == nil) != (b.Default == nil) {
		return false
	}
	for i := range a.Values {
		if a.Values[i] != b.Values[i] {
			return false
		}
	}
	return a.Default == nil || *a.Default == *b.Default
}

func (a *KINDStatus) Equal(b *KINDStatus) bool {
	if a.Ready != b.Ready || a.Observed != b.Observed || len(a.Conditions) != len(b.Conditions) || len(a.Results) != len(b.Results) {
		return false
	}
	for i := range a.Conditions {
		if !a.Conditions[i].Equal(&b.Conditions[i]) {
			return false
		}
	}
	for key, value := range a.Results {
		if b.Results[key] != value {
			return false
		}
	}
	return true
}
`;

const validation = `
func (o *KIND) Validate() []string {
	var problems []string
	if o.Name == "" {
		problems = append(problems, "name: required")
	}
	if len(o.Name) > 253 {
		problems = append(problems, "name: too long")
	}
	if o.Spec.Replicas != nil && *o.Spec.Replicas < 0 {
		problems = append(problems, "spec.replicas: must not be negative")
	}
	seen := map[string]bool{}
	for i, parameter := range o.Spec.Parameters {
		if parameter.Name == "" {
			problems = append(problems, fmt.Sprintf("spec.parameters[%d].name: required", i))
		}
		if seen[parameter.Name] {
			problems = append(problems, fmt.Sprintf("spec.parameters[%d].name: %s is there twice", i, parameter.Name))
		}
		seen[parameter.Name] = true
		switch parameter.Type {
		case "", "string", "array", "object":
		default:
			problems = append(problems, fmt.Sprintf("spec.parameters[%d].type: %s is unknown", i, parameter.Type))
		}
	}
	for name, workspace := range o.Spec.Workspaces {
		if name != workspace.Name {
			problems = append(problems, "spec.workspaces: "+name+" has another name")
		}
	}
	return problems
}
`;
