package recording

import "fmt"

// The greatest lengths of the lists that readers hold against each other: a recording may come from somebody else, and
// a small file can name very much.
const (
	maxTrials = 100_000 // of a recording
	maxModels = 1000    // of a plan, and models skipped
	maxListed = 1000    // causes of loss, missing probes and the like in a trial: weft knows some tens of each
)

// length is a named list's.
type length struct {
	name string
	n    int
	most int
}

func checkLengths(lengths []length) error {
	for _, l := range lengths {
		if l.n > l.most {
			return fmt.Errorf("%d %s: at most %d are allowed", l.n, l.name, l.most)
		}
	}
	return nil
}

func (r *Run) checkLengths() error {
	return checkLengths([]length{
		{"models", len(r.Plan.Models), maxModels},
		{"details of models", len(r.Plan.Details), maxModels},
		{"models skipped", len(r.Skipped), maxModels},
		{"trials", len(r.Trials), maxTrials},
		{"profiles", len(r.Profiles), maxModels},
	})
}

func (t *Trial) checkLengths() error {
	return checkLengths([]length{
		{"causes of loss", len(t.Lost), maxListed},
		{"missing probes", len(t.Missing), maxListed},
		{"BPF programs", len(t.BPF), maxListed},
		{"kinds of stacks", len(t.Found), maxListed},
	})
}
