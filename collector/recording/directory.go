package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// makeDir makes dir, or empties the recording in it, and opens it.
func makeDir(dir string, force bool) (*os.Root, error) {
	dir = filepath.Clean(dir)
	parent, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return nil, fmt.Errorf("%w: name a directory whose parent exists", err)
	}
	defer parent.Close()
	name := filepath.Base(dir)
	err = parent.Mkdir(name, 0o755)
	exists := errors.Is(err, fs.ErrExist)
	switch {
	case exists && !force:
		return nil, fmt.Errorf("%w: choose another path, or replace the recording there by --force", ErrExists)
	case err != nil && !exists:
		return nil, fmt.Errorf("%w: choose a path where you may write", err)
	}
	root, err := openDir(parent, name)
	if err != nil {
		return nil, err
	}
	if exists {
		if err := removeRecording(root); err != nil {
			return nil, errors.Join(err, root.Close())
		}
	}
	return root, nil
}

// openDir opens a directory of parent that is no symbolic link, not even one that was put there just now.
func openDir(parent *os.Root, name string) (*os.Root, error) {
	named, err := parent.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !named.IsDir() {
		return nil, fmt.Errorf("%w and is no directory: choose another path, or name the directory that a link leads to", ErrExists)
	}
	root, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := root.Stat(".")
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if !os.SameFile(opened, named) {
		return nil, errors.Join(fmt.Errorf("%w and is being changed: choose another path", ErrExists), root.Close())
	}
	return root, nil
}

// removeRecording removes the files that run.json lists, run.json last, so that it can be done again when it
// was cut off. Other files stay.
func removeRecording(root *os.Root) error {
	run, err := readRun(root)
	if err != nil {
		return fmt.Errorf("%w: it is left alone, choose another path", err)
	}
	files := slices.DeleteFunc(slices.Clone(run.Files), func(name string) bool { return name == runFile })
	for _, name := range append(files, runFile) {
		if err := removeFile(root, name); err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}

// removeFile removes a regular file, and the directories above it that this leaves empty.
func removeFile(root *os.Root, name string) error {
	err := checkRegular(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := root.Remove(name); err != nil {
		return err
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if root.Remove(dir) != nil {
			break // not empty
		}
	}
	return nil
}

var errNotRegular = errors.New("not a regular file")

// checkRegular accepts a regular file with only true directories above it.
func checkRegular(root *os.Root, name string) error {
	if err := checkPath(name); err != nil {
		return err
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		info, err := root.Lstat(dir)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return fmt.Errorf("%w: %s is not a directory", errNotRegular, dir)
		}
	}
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errNotRegular
	}
	return nil
}
