package recording

// Frame is one function call of a stack, already turned into names: a recording needs no symbols.
// Names come from the profiled process: data, never markup.
type Frame struct {
	Function  string `json:"function"`             // linker name, or "binary+0xoffset"
	File      string `json:"file,omitempty"`       // source file
	Line      int    `json:"line,omitempty"`       // line of the call
	StartLine int    `json:"start_line,omitempty"` // line where the function begins
	Inlined   bool   `json:"inlined,omitempty"`    // in its caller, the next frame
	Binary    string `json:"binary,omitempty"`     // path of the ELF file
	BuildID   string `json:"build_id,omitempty"`   // GNU build id in hex, else Go's
	Offset    uint64 `json:"offset,omitempty"`     // file offset, or address within the ELF file
}

// Names of the kinds of stacks: what `--kind` takes.
const (
	KindHeap         = "heap"         // bytes in use at the end, by allocation
	KindThreadCreate = "threadcreate" // threads made
	KindSocket       = "socket"       // socket bytes sent and received
)

// Stack is one distinct call stack of one thread with what it stands for.
type Stack struct {
	Kind   string  // KindThreadCreate or KindSocket
	Thread string  // name of the thread, with its tid: "weft/4711"
	Frames []Frame // leaf first
	Cut    bool    // the root was not reached
	Values Values
}

// Values are what the calls from one stack added up to.
type Values struct {
	Threads   int64 // threads made, count
	SentBytes int64
	RecvBytes int64
	Calls     int64 // socket calls that transferred, count
}
