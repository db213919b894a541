package pool

// waiter is an Acquire or a Warm that waits.
type waiter[K comparable, V any] struct {
	prev, next *waiter[K, V]
	queued     bool
	arrival    uint64
	stack      *stack        // of Acquire, where leaks are watched
	ready      chan struct{} // gets one token once entry or err is there
	entry      *entry[K, V]
	reused     bool
	err        error
}

func (w *waiter[K, V]) wake() { w.ready <- struct{}{} }

// queue is a list of waiters in the order of their arrival.
type queue[K comparable, V any] struct {
	first, last *waiter[K, V]
	n           int
}

func (s *slot[K, V]) waiting() int { return s.waiters.n + s.warmers.n }

// insert puts w where its arrival belongs, which is the end unless w had left the
// queue to check a value and comes again.
func (q *queue[K, V]) insert(w *waiter[K, V]) {
	after := q.last
	for after != nil && after.arrival > w.arrival {
		after = after.prev
	}
	w.prev, w.queued = after, true
	if after == nil {
		w.next, q.first = q.first, w
	} else {
		w.next, after.next = after.next, w
	}
	if w.next == nil {
		q.last = w
	} else {
		w.next.prev = w
	}
	q.n++
}

func (q *queue[K, V]) remove(w *waiter[K, V]) {
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next, w.queued = nil, nil, false
	q.n--
}

// pop takes the first of q, which is not empty.
func (q *queue[K, V]) pop() *waiter[K, V] {
	w := q.first
	q.remove(w)
	return w
}
