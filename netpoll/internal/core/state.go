package core

// Flush states of a connection. Exactly one party may move a connection from scheduled, blocked or idle to running, and
// that party is the owner until it leaves running.
//
//	idle        nothing is due; a wake-up moves to scheduled and kicks the driver
//	inData      the loop is inside the handler and nothing is due yet; a wake-up only moves to scheduled
//	scheduled   someone is bound to look: a posted task, or the loop when the handler returns
//	running     an owner is flushing; a wake-up moves to runningDue
//	runningDue  an owner is flushing and will look once more
//	blocked     the kernel refused bytes; the driver will resume when it takes more
//	closed      for ever
const (
	stIdle uint32 = iota
	stInData
	stScheduled
	stRunning
	stRunningDue
	stBlocked
	stClosed
)

// Flags that are read without the queue lock.
const (
	flagOpened uint32 = 1 << iota
	flagClosing
	flagDraining
	flagAbove // the queue went above the high-water mark and has not fallen below the low one
)
