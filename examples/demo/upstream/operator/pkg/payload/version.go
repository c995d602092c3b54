package payload

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$`)

// A version is what semver orders by.
type version struct {
	numbers    [3]int
	prerelease []string
}

// parseVersion reads the name of a folder: a semver version without `v`.
func parseVersion(name string) (version, bool) {
	match := semver.FindStringSubmatch(name)
	if match == nil {
		return version{}, false
	}
	var v version
	for i := range v.numbers {
		v.numbers[i], _ = strconv.Atoi(match[i+1])
	}
	if match[4] != "" {
		v.prerelease = strings.Split(match[4], ".")
	}
	return v, true
}

// compare orders as https://semver.org says: a pre-release comes before its release.
func (v version) compare(other version) int {
	for i := range v.numbers {
		if order := cmp.Compare(v.numbers[i], other.numbers[i]); order != 0 {
			return order
		}
	}
	switch {
	case len(v.prerelease) == 0 || len(other.prerelease) == 0:
		return cmp.Compare(len(other.prerelease), len(v.prerelease))
	}
	for i := 0; i < len(v.prerelease) && i < len(other.prerelease); i++ {
		if order := compareIdentifiers(v.prerelease[i], other.prerelease[i]); order != 0 {
			return order
		}
	}
	return cmp.Compare(len(v.prerelease), len(other.prerelease))
}

// compareIdentifiers: numbers as numbers, and before texts.
func compareIdentifiers(a, b string) int {
	x, notNumberA := strconv.Atoi(a)
	y, notNumberB := strconv.Atoi(b)
	switch {
	case notNumberA == nil && notNumberB == nil:
		return cmp.Compare(x, y)
	case notNumberA == nil:
		return -1
	case notNumberB == nil:
		return 1
	default:
		return strings.Compare(a, b)
	}
}
