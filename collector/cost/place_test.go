package cost

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/procfs"
)

func TestFindPlace(t *testing.T) {
	const (
		v1 = "35 31 0:32 %s ROOT/memory rw,relatime - cgroup cgroup rw,memory\n"
		v2 = "41 31 0:38 %s ROOT/unified rw,relatime - cgroup2 cgroup2 rw\n"
	)
	mount := func(format, root string) string { return strings.Replace(format, "%s", root, 1) }
	for _, test := range []struct {
		name      string
		mountinfo string
		cgroup    string
		files     map[string]string
		dir       string // "" where no group can be made
		unified   bool
		home      string // "" for dir
	}{
		{"version 1", mount(v1, "/"), "4:memory:/a/b\n", nil, "memory/a/b", false, ""},
		{
			"version 1, version 2 without the controller", mount(v2, "/") + mount(v1, "/"), "4:memory:/a/b\n0::/\n",
			map[string]string{"unified/cgroup.controllers": ""}, "memory/a/b", false, "",
		},
		{"version 1 in a container", mount(v1, "/docker/x"), "4:cpu,memory:/docker/x/y\n", nil, "memory/y", false, ""},
		{"version 1, elsewhere", mount(v1, "/docker/x"), "4:memory:/other\n", nil, "memory", false, ""},
		{
			"version 2", mount(v2, "/"), "0::/user.slice/user-0.slice/session-1.scope\n",
			map[string]string{
				"unified/cgroup.controllers":                                             "cpu memory pids\n",
				"unified/cgroup.subtree_control":                                         "cpu memory pids\n",
				"unified/user.slice/cgroup.subtree_control":                              "cpu memory pids\n",
				"unified/user.slice/user-0.slice/cgroup.subtree_control":                 "memory pids\n",
				"unified/user.slice/user-0.slice/session-1.scope/cgroup.subtree_control": "\n",
				"unified/user.slice/user-0.slice/session-1.scope/memory.current":         "1\n",
			}, "unified/user.slice/user-0.slice", true, "unified/user.slice/user-0.slice/session-1.scope",
		},
		{
			"version 2, not handed down", mount(v2, "/"), "0::/a\n", map[string]string{
				"unified/cgroup.controllers": "cpu memory\n", "unified/cgroup.subtree_control": "cpu\n",
			}, "", true, "",
		},
		{"none", "", "0::/\n", nil, "", false, ""},
		{"version 1 without it", "33 31 0:30 / ROOT/cpu rw - cgroup cgroup rw,cpu\n", "1:cpu:/\n", nil, "", false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := tree(t, test.files)
			proc := tree(t, map[string]string{
				"23/mountinfo": strings.ReplaceAll(test.mountinfo, "ROOT", root), "23/cgroup": test.cgroup,
			})
			fs, err := procfs.NewFS(proc)
			if err != nil {
				t.Fatal(err)
			}
			self, err := fs.Proc(23)
			if err != nil {
				t.Fatal(err)
			}
			got, err := findPlace(self)
			if test.dir == "" {
				if err == nil {
					t.Errorf("found %+v", got)
				}
				return
			}
			home := test.home
			if home == "" {
				home = test.dir
			}
			want := place{filepath.Join(root, test.dir), filepath.Join(root, home), test.unified}
			if got != want || err != nil {
				t.Errorf("got %+v, %v, want %+v", got, err, want)
			}
		})
	}
}
