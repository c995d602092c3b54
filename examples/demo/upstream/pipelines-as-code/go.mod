module github.com/openshift-pipelines/pipelines-as-code

go 1.22
