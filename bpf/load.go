package bpf

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// loading is an object on its way into the kernel.
type loading struct {
	object
	next       int              // the first of its sets that was not tried yet
	collection *ebpf.Collection // nil where no set was accepted
	refusals   []error          // of the sets that were tried
	err        error            // for which nothing more is tried
}

// openObjects loads the objects, side by side where the kernel's verifier takes long, since it uses one CPU each, and
// attaches them one after the other, in their order. That an object is refused is in p.missing, not an error.
func (p *Probes) openObjects(opts Options) error {
	types := btf.NewCache() // of the kernel, read once
	var list []*loading
	for _, o := range objects {
		if o.name != ObjectOnCPU || opts.Stacks {
			list = append(list, &loading{object: o})
		}
	}
	if err := p.shareMaps(list[0].object, opts); err != nil {
		return fmt.Errorf("object %s: %w", list[0].name, err)
	}
	var all sync.WaitGroup
	free := make(chan struct{}, opts.loaders())
	for _, l := range list {
		free <- struct{}{}
		all.Go(func() {
			l.load(p.shared, types, opts)
			<-free
		})
	}
	all.Wait()
	for _, l := range list {
		p.keep(l) // before anything is attached: what is kept is closed
	}
	for _, l := range list {
		if err := p.attachObject(l, types, opts); err != nil {
			return fmt.Errorf("object %s: %w", l.name, err)
		}
	}
	return nil
}

// loaders is how many objects are loaded at once. Each takes a MB or two meanwhile, which weft is not to need where it
// only counts; with stacks its tables have fifty, and the verifier takes three times as long.
func (o Options) loaders() int {
	if o.Stacks {
		return runtime.GOMAXPROCS(0)
	}
	return 1
}

func (p *Probes) keep(l *loading) {
	if l.collection == nil {
		delete(p.objects, l.name)
		return
	}
	p.objects[l.name] = l.collection
}

// attachObject attaches what was loaded, or the next set that the kernel both loads and attaches.
func (p *Probes) attachObject(l *loading, types *btf.Cache, opts Options) error {
	for l.collection != nil {
		links, err := attach(l.collection, opts)
		if err == nil {
			p.links = append(p.links, links...)
			return nil
		}
		l.refusals = append(l.refusals, err)
		l.collection.Close()
		l.load(p.shared, types, opts)
		p.keep(l)
	}
	if l.err == nil {
		p.missing = append(p.missing, Missing{Object: l.name, Err: errors.Join(l.refusals...)})
	}
	return l.err
}

// shareMaps makes the shared maps. Every object has them.
func (p *Probes) shareMaps(o object, opts Options) error {
	spec, err := o.spec(o.sets[0], opts)
	if err != nil {
		return err
	}
	for _, name := range sharedMaps {
		m, err := ebpf.NewMap(spec.Maps[name])
		if err != nil {
			return fmt.Errorf("make map %s: %w", name, err)
		}
		p.shared[name] = m
	}
	if opts.Stacks {
		p.tables, err = newStackTables(p.shared, spec, int(cmp.Or(opts.MostStacks, DefaultMostStacks)))
	}
	return err
}

// load loads the next set that the kernel accepts.
func (l *loading) load(shared map[string]*ebpf.Map, types *btf.Cache, opts Options) {
	for l.collection = nil; l.collection == nil && l.next < len(l.sets); l.next++ {
		spec, err := l.spec(l.sets[l.next], opts)
		if err != nil {
			l.err = err
			return
		}
		l.collection, err = ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: shared, Cache: types})
		if err != nil {
			l.collection = nil
			l.refusals = append(l.refusals, fmt.Errorf("load: %w", err))
		}
	}
}
