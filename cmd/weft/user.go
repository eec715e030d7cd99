package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/weft-profiler/weft/collector/recording"
)

// sudoUser is who called sudo: children run as that user, and the files belong to that user.
type sudoUser struct {
	uid, gid int
	groups   []uint32
}

// userBehindSudo gives nil when weft was not started by sudo.
func userBehindSudo(getenv func(string) string) (*sudoUser, error) {
	text := getenv("SUDO_UID")
	if text == "" || text == "0" || os.Geteuid() != 0 {
		return nil, nil
	}
	uid, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return nil, fmt.Errorf("SUDO_UID: %w: unset it to run children as root", err)
	}
	gid, err := strconv.ParseUint(getenv("SUDO_GID"), 10, 31)
	if err != nil {
		return nil, fmt.Errorf("SUDO_GID: %w: unset SUDO_UID to run children as root", err)
	}
	u := &sudoUser{uid: int(uid), gid: int(gid)}
	if account, err := user.LookupId(text); err == nil {
		u.groups = groupsOf(account)
	}
	return u, nil
}

// groupsOf gives the supplementary groups; without them a child has just its own.
func groupsOf(account *user.User) []uint32 {
	names, err := account.GroupIds()
	if err != nil {
		return nil
	}
	var groups []uint32
	for _, name := range names {
		if gid, err := strconv.ParseUint(name, 10, 32); err == nil {
			groups = append(groups, uint32(gid))
		}
	}
	return groups
}

func (u *sudoUser) id() int {
	if u == nil {
		return os.Geteuid()
	}
	return u.uid
}

func (u *sudoUser) credential() *syscall.Credential {
	if u == nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(u.uid), Gid: uint32(u.gid), Groups: u.groups}
}

// adviseExecute says what is in the way of a user who may not execute weft's own file.
func (u *sudoUser) adviseExecute(err error, exe string) error {
	if u == nil || !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w: user %d, who called sudo, has to be able to execute %s: move it to a directory that is open to that user, or unset SUDO_UID to run children as root",
		err, u.uid, exe)
}

func (u *sudoUser) owner() *recording.Owner {
	if u == nil {
		return nil
	}
	return &recording.Owner{UID: u.uid, GID: u.gid}
}
