const digest = (digit: string) => `sha256:${digit.repeat(64)}`;

/** A CSV that passes OLM's own validation: one deployment of two containers, one mapped and one external image. */
export const smallCsv = `# The template: edited by hand.
apiVersion: operators.coreos.com/v1alpha1
kind: ClusterServiceVersion
metadata:
  name: small.v1.7.0
  namespace: placeholder
  annotations:
    alm-examples: |-
      [{"apiVersion": "operator.example.com/v1alpha1", "kind": "Small", "metadata": {"name": "config"}, "spec": {}}]
    capabilities: Basic Install
    categories: Developer Tools
    certified: "false"
    containerImage: registry.example.com/product/operator@${digest('1')}
    createdAt: "2026-01-15T00:00:00Z"
    description: A small operator.
    olm.skipRange: ">=1.5.0 <1.7.0"
    operatorframework.io/suggested-namespace: openshift-operators
    repository: https://github.com/tektoncd/operator
    support: The authors
  labels:
    operatorframework.io/arch.amd64: supported
spec:
  displayName: Small operator
  description: |-
    It is small.

    And it says "yes": no more.
  version: 1.7.0 # of the release
  replaces: small.v1.6.0
  minKubeVersion: 1.25.0
  maturity: stable
  keywords: [tekton, ci]
  maintainers:
  - name: The authors
    email: small@example.com
  provider:
    name: Example
    url: https://example.com
  links:
  - name: Tekton
    url: https://tekton.dev
  icon:
  - base64data: PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=
    mediatype: image/svg+xml
  installModes:
  - {type: OwnNamespace, supported: false}
  - {type: SingleNamespace, supported: false}
  - {type: MultiNamespace, supported: false}
  - {type: AllNamespaces, supported: true}
  customresourcedefinitions:
    owned:
    - name: smalls.operator.example.com
      kind: Small
      version: v1alpha1
      displayName: Small
      description: Small is the installation.
      resources:
      - {kind: Deployment, name: "", version: v1}
      specDescriptors:
      - path: profile
        displayName: Profile
        description: How much of it.
        x-descriptors: ["urn:alm:descriptor:com.tectonic.ui:text"]
  install:
    strategy: deployment
    spec:
      clusterPermissions:
      - serviceAccountName: small-operator
        rules:
        - {apiGroups: [""], resources: [configmaps], verbs: [get]}
      deployments:
      - name: small-operator
        spec:
          replicas: 1
          selector: {matchLabels: {name: small-operator}}
          template:
            metadata: {labels: {name: small-operator}}
            spec:
              serviceAccountName: small-operator
              containers:
              - name: lifecycle
                image: registry.example.com/product/operator@${digest('1')}
                args: ["-name=lifecycle"]
                env:
                - name: VERSION
                  value: 1.7.0
                - name: IMAGE_PULL_POLICY
                  value: Always
                - name: IMAGE_PIPELINES_CONTROLLER # the controller
                  value: registry.example.com/product/controller@${digest('2')}
                - name: IMAGE_SHELL
                  value: registry.example.com/base/shell:1
                resources: {requests: {cpu: 10m, memory: 32Mi}}
                livenessProbe: {httpGet: {path: /healthz, port: 8080}}
                readinessProbe: {httpGet: {path: /readyz, port: 8080}}
              - name: cluster-operations
                image: registry.example.com/product/operator@${digest('1')}
                env:
                - name: VERSION
                  value: 1.7.0
                resources: {requests: {cpu: 10m, memory: 32Mi}}
                livenessProbe: {httpGet: {path: /healthz, port: 8080}}
                readinessProbe: {httpGet: {path: /readyz, port: 8080}}
  relatedImages:
  - name: IMAGE_PIPELINES_CONTROLLER
    image: registry.example.com/product/controller@${digest('2')}
  - name: IMAGE_SHELL
    image: registry.example.com/base/shell:1
  - name: LIFECYCLE
    image: registry.example.com/product/operator@${digest('1')}
`;
