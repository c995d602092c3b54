// Package cluster speaks to the Kubernetes API of the cluster that the program runs in.
package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// FieldManager is the owner of what is applied.
const FieldManager = "tekton-operator"

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount"

// ErrNotFound is the answer to what does not exist.
var ErrNotFound = errors.New("not found")

// A Client of the API server.
type Client struct {
	// Server is its URL, without a slash at the end.
	Server string
	// Namespace is where objects go that name none, though they need one.
	Namespace string
	// Token returns the credential; it is asked each time, for tokens are renewed.
	Token func() (string, error)
	HTTP  *http.Client

	mutex sync.Mutex
	kinds map[string]resource
}

// A resource is how the API server calls a kind.
type resource struct {
	plural     string
	namespaced bool
}

// InCluster returns the client that a pod's service account allows.
func InCluster(namespace string) (*Client, error) {
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, errors.New("not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set")
	}
	authorities, err := os.ReadFile(filepath.Join(serviceAccount, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, errors.New("the service account's ca.crt holds no certificate")
	}
	return &Client{
		Server:    "https://" + net.JoinHostPort(host, port),
		Namespace: namespace,
		Token: func() (string, error) {
			token, err := os.ReadFile(filepath.Join(serviceAccount, "token"))
			return strings.TrimSpace(string(token)), err
		},
		HTTP: &http.Client{
			Timeout:   30 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
		},
	}, nil
}

// Apply makes an object (server-side apply: what others own in it stays). A subresource such as `status` may be given.
func (c *Client) Apply(ctx context.Context, object map[string]any, subresource ...string) error {
	path, err := c.path(ctx, object, subresource)
	if err != nil {
		return err
	}
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	query := url.Values{"fieldManager": {FieldManager}, "force": {"true"}}
	// JSON is YAML.
	_, err = c.do(ctx, http.MethodPatch, path+"?"+query.Encode(), "application/apply-patch+yaml", body)
	return err
}

// Get reads the object that has the kind and name of another, or returns ErrNotFound.
func (c *Client) Get(ctx context.Context, object map[string]any) (map[string]any, error) {
	path, err := c.path(ctx, object, nil)
	if err != nil {
		return nil, err
	}
	body, err := c.do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return nil, err
	}
	var found map[string]any
	return found, json.Unmarshal(body, &found)
}

// path is where the API server keeps an object.
func (c *Client) path(ctx context.Context, object map[string]any, subresource []string) (string, error) {
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	metadata, _ := object["metadata"].(map[string]any)
	name, _ := metadata["name"].(string)
	found, err := c.discover(ctx, apiVersion, kind)
	if err != nil {
		return "", err
	}
	parts := []string{c.root(apiVersion)}
	if found.namespaced {
		namespace, _ := metadata["namespace"].(string)
		if namespace == "" {
			namespace = c.Namespace
		}
		parts = append(parts, "namespaces", url.PathEscape(namespace))
	}
	parts = append(parts, found.plural, url.PathEscape(name))
	return strings.Join(append(parts, subresource...), "/"), nil
}

func (c *Client) root(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

// discover asks how a kind is called. What is not there now may be later, when its CRD is: only answers are remembered.
func (c *Client) discover(ctx context.Context, apiVersion, kind string) (resource, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if found, ok := c.kinds[apiVersion+" "+kind]; ok {
		return found, nil
	}
	body, err := c.do(ctx, http.MethodGet, c.root(apiVersion), "", nil)
	if err != nil {
		return resource{}, fmt.Errorf("discover %s: %w", apiVersion, err)
	}
	var list struct {
		Resources []struct {
			Name       string `json:"name"`
			Kind       string `json:"kind"`
			Namespaced bool   `json:"namespaced"`
		} `json:"resources"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return resource{}, fmt.Errorf("discover %s: %w", apiVersion, err)
	}
	if c.kinds == nil {
		c.kinds = map[string]resource{}
	}
	for _, known := range list.Resources {
		if !strings.Contains(known.Name, "/") {
			c.kinds[apiVersion+" "+known.Kind] = resource{known.Name, known.Namespaced}
		}
	}
	found, ok := c.kinds[apiVersion+" "+kind]
	if !ok {
		return resource{}, fmt.Errorf("the cluster has no kind %s in %s", kind, apiVersion)
	}
	return found, nil
}

func (c *Client) do(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.Server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	token, err := c.Token()
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Accept", "application/json")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("%s %s: %w", method, path, ErrNotFound)
	case response.StatusCode >= 300:
		var status struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(answer, &status)
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, status.Message)
	default:
		return answer, nil
	}
}
