package reports

import (
	"fmt"
	"strings"

	"github.com/weft-profiler/weft/collector/recording"
)

// Extent says how much of its plan a recording has.
type Extent struct {
	Interrupted     bool `json:"interrupted"`      // the run ended before its plan did, by a signal or a full disk, or goes on
	PlannedTrials   int  `json:"planned_trials"`   // of all kinds and models; 0 where the recording, an older one, does not tell
	Trials          int  `json:"trials"`           // of these in the recording, failed ones too, count
	PlannedProfiles int  `json:"planned_profiles"` // one a model
	Profiles        int  `json:"profiles"`         // of these in the recording, count
}

func newExtent(r *recording.Recording) Extent {
	plan := r.Run.Plan
	x := Extent{Interrupted: r.Run.Interrupted, PlannedTrials: plan.Trials, Profiles: len(r.Run.Profiles)}
	failed := false
	for _, t := range r.Trials {
		if plan.Trials == 0 || t.Number <= plan.Trials { // later ones were added to the plan
			x.Trials++
		}
		failed = failed || !t.OK()
	}
	if plan.ProfileTrials > 0 {
		x.PlannedProfiles = len(plan.Models)
	}
	// Before recordings told of their trials, that of a killed writer did not say "interrupted".
	older := plan.Trials == 0 && x.PlannedProfiles > 0 && x.Profiles == 0 && !failed
	x.Interrupted = x.Interrupted || older
	return x
}

// Whole says that the plan was carried out.
func (x Extent) Whole() bool { return !x.Interrupted && x.Trials >= x.PlannedTrials }

// String says what there is of what was planned, "33 of 87 planned trials, 0 of 3 profiles".
func (x Extent) String() string {
	trials := fmt.Sprintf("%d of %s", x.Trials, plural(int64(x.PlannedTrials), "planned trial"))
	if x.PlannedTrials == 0 {
		trials = plural(int64(x.Trials), "trial")
	}
	if x.PlannedProfiles == 0 {
		return trials
	}
	return fmt.Sprintf("%s, %d of %s", trials, x.Profiles, plural(int64(x.PlannedProfiles), "profile"))
}

// missingText is String where something is missing, and else nothing.
func (x Extent) missingText() string {
	if x.Whole() {
		return ""
	}
	return x.String()
}

// unprofiled says which models have no profile where others have one.
func unprofiled(v *View) string {
	var names []string
	for _, m := range v.Models {
		if !m.Profiled {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 || len(names) == len(v.Models) {
		return ""
	}
	return "no profile of " + strings.Join(names, ", ")
}

// settings are the variables that were set for the models, as a shell takes them.
func settings(run *recording.Run) string {
	words := make([]string, 0, len(run.Host.Environment))
	for _, e := range run.Host.Environment {
		words = append(words, shellWord(e.Name+"="+e.Value))
	}
	return strings.Join(words, " ")
}

// settingsLine is how a report tells of them, empty where there are none.
func settingsLine(run *recording.Run) string {
	if text := settings(run); text != "" {
		return "Set for the models: " + text
	}
	return ""
}
