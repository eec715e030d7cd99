package cost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// place is where a control group for memory can be made.
type place struct {
	dir     string // the group to make one in
	home    string // weft's own
	unified bool   // version 2
}

var errNoMemory = errors.New("no mounted cgroup hierarchy has the memory controller")

// findPlace looks for the memory controller among the mounts, and for this process in its hierarchy.
func findPlace(self procfs.Proc) (place, error) {
	mounts, err := self.MountInfo()
	if err != nil {
		return place{}, fmt.Errorf("read mountinfo: %w", err)
	}
	groups, err := self.Cgroups()
	if err != nil {
		return place{}, fmt.Errorf("read cgroup: %w", err)
	}
	for _, mount := range mounts {
		switch mount.FSType {
		case "cgroup":
			if _, ok := mount.SuperOptions["memory"]; ok {
				home := inMount(mount, pathOf(groups, "memory"))
				return place{dir: home, home: home}, nil
			}
		case "cgroup2":
			if has(filepath.Join(mount.MountPoint, "cgroup.controllers"), "memory") {
				home := inMount(mount, pathOf(groups, ""))
				dir, err := handingDown(mount.MountPoint, home)
				return place{dir: dir, home: home, unified: true}, err
			}
		}
	}
	return place{}, errNoMemory
}

// pathOf is the path of the process in the hierarchy of a controller; in that of version 2 for "".
func pathOf(groups []procfs.Cgroup, controller string) string {
	for _, g := range groups {
		if slices.Contains(g.Controllers, controller) || controller == "" && g.HierarchyID == 0 {
			return g.Path
		}
	}
	return "/"
}

// inMount is a group's directory. A mount may show only a part of its hierarchy (a container's); a group outside of
// that stands at the mount's top.
func inMount(mount *procfs.MountInfo, path string) string {
	inside, err := filepath.Rel(mount.Root, path)
	if err != nil || inside == ".." || strings.HasPrefix(inside, "../") {
		inside = "."
	}
	return filepath.Join(mount.MountPoint, inside)
}

// handingDown is the nearest group upwards from dir that hands the memory controller down to the groups in it. A
// group of version 2 with processes in it, like weft's own, may not.
func handingDown(top, dir string) (string, error) {
	for at := dir; strings.HasPrefix(at, top); at = filepath.Dir(at) {
		if has(filepath.Join(at, "cgroup.subtree_control"), "memory") {
			return at, nil
		}
	}
	return "", fmt.Errorf("no group from %s up hands the memory controller down (cgroup.subtree_control)", dir)
}

// has says whether a file of words has one.
func has(path, word string) bool {
	text, err := os.ReadFile(path)
	return err == nil && slices.Contains(strings.Fields(string(text)), word)
}
