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
	Found     string `json:"found,omitempty"`      // how: FoundRegister and so on
}

// Ways by which a frame of a stack was found: how far it is to be trusted.
const (
	FoundRegister     = "register"        // the thread's instruction pointer: it was there
	FoundFramePointer = "frame pointer"   // kept by the code before it, which is Go's
	FoundInlined      = "inline table"    // of the function that it was inlined into, whose frame follows
	FoundUnwinder     = "kernel unwinder" // the kernel's own (ORC or frame pointers)
	FoundFirst        = "first event"     // likewise, but once for all events of one hook, system call and program stack
)

// KernelBinary is what the kernel's own code has in [Frame.Binary]; a module has its name in brackets too: "[nf_tables]".
const KernelBinary = "[kernel]"

// Names of the kinds of stacks: what `--kind` takes.
const (
	KindCPU          = "cpu"          // samples on a CPU
	KindOffCPU       = "offcpu"       // time off the CPU: blocked by cause, or runnable
	KindThreadCreate = "threadcreate" // threads made
	KindSocket       = "socket"       // socket bytes sent and received
	KindReplyWait    = "replywait"    // time in which a reply was awaited, by the stack that had sent last
	KindRSS          = "rss"          // bytes that resident memory grew by, gross
	KindHeap         = "heap"         // bytes in use at the end, by allocation

	KindGoroutine = GoroutineProfile // these three are Go's own profiles
	KindBlock     = BlockProfile
	KindMutex     = MutexProfile
)

// Stack is one distinct call stack of one thread and goroutine with what it stands for.
type Stack struct {
	Kind      string    // of those that the kernel side takes: KindHeap and what follows it are none
	Thread    string    // name of the thread, with its tid: "weft/4711"
	Goroutine Goroutine // that ran; the zero value where none did, or it is no Go program
	Wait      string    // of KindOffCPU: the cause (CauseFutex and so on), or WaitRunnable; of KindReplyWait: WaitReply and so on
	Frames    []Frame   // leaf first
	Cut       bool      // the root was not reached
	Values    Values
}

// WaitRunnable is the Wait of time in which a thread was ready and had no CPU.
const WaitRunnable = "runnable"

// The Waits of time in which a reply was awaited, from a send on, or of a server, from a receive on: what ended it.
const (
	WaitReply   = "reply"   // the first byte of the reply
	WaitRequest = "request" // the next send (receive) of the same request: it had not been all there
	WaitClose   = "close"   // the connection's end, without a reply
)

// SchedulerGoroutine is the Entry of what a Go program's thread did while no goroutine ran on it.
const SchedulerGoroutine = "[scheduler]"

// The Reasons for which Go's runtime makes threads.
const (
	ReasonWork     = "work"     // goroutines were ready, a processor idle, and no thread was left
	ReasonSyscall  = "syscall"  // a thread stayed in a system call, and gave its processor away
	ReasonLocked   = "locked"   // a goroutine keeps its thread for itself, and gave its processor away
	ReasonTemplate = "template" // the thread that makes others on behalf of those that are locked
	ReasonSysmon   = "sysmon"   // the runtime's monitor
	ReasonWorld    = "world"    // all had been stopped, and went on
	ReasonRuntime  = "runtime"  // another reason of the runtime's own
)

// Goroutine is one goroutine, by the runtime's own account.
type Goroutine struct {
	ID      uint64 // goid; 0 of the scheduler
	Entry   string // function that it began with, or SchedulerGoroutine
	Creator string // function whose go statement made it; empty when not known
	Parent  uint64 // goid of the goroutine that made it; 0 when not known
}

// Values are what the events from one stack added up to.
type Values struct {
	Threads     int64 // threads made, count
	SentBytes   int64
	RecvBytes   int64
	Calls       int64 // socket calls that transferred, count
	Samples     int64 // on a CPU, count
	CPUNS       int64 // Samples times the sampler's period, a duration
	Switches    int64 // off the CPU, count
	BlockedNS   int64 // a duration
	RunnableNS  int64 // a duration
	Replies     int64 // waits that a reply ended, count
	ReplyWaitNS int64 // a duration
	RSSBytes    int64 // that resident memory grew by
}
