package complete

import "multiproc/mp/driver"

// Lacks are the methods of o, as Of returns it, that its place does not offer and
// that are not built.
func Lacks(o driver.Object) (methods []string) {
	lack := func(offered bool, names ...string) {
		if !offered {
			methods = append(methods, names...)
		}
	}
	bare := Bare(o)
	switch o.(type) {
	case Dict:
		lack(has[driver.DictItemPopper](bare), "PopItem")
		lack(has[driver.DictBatcher](bare), "SetAll")
		lack(has[driver.DictClearer](bare), "Clear")
		lack(has[driver.DictWatcher](bare), "Watch")
		lack(has[driver.DictExpirer](bare), "SetFor")
	case List:
		lack(has[driver.ListEditor](bare), "Extend", "Insert", "Pop", "Delete", "Remove", "Clear", "SetSlice", "DeleteSlice")
		lack(has[driver.ListArranger](bare), "Reverse", "Sort", "Repeat")
		lack(has[driver.ListWatcher](bare), "Watch")
	case Set:
		lack(has[driver.SetBatcher](bare), "AddAll", "RemoveAll", "Retain")
		lack(has[driver.SetClearer](bare), "Clear")
	case Queue:
		lack(has[driver.QueueAwaiter](bare), "Await")
		lack(has[driver.QueueTracker](bare), "TaskDone", "Join")
		lack(has[driver.QueueCloser](bare), "CloseWrite")
		lack(has[driver.QueueLeaser](bare), "Receive", "TryReceive", "Ack", "Nack", "Extend", "Leased")
	case Mutex: // and Cond and RWMutex
		lack(has[driver.MutexOwner](bare), "Owner")
	}
	return methods
}

func has[I any](o driver.Object) bool {
	_, ok := o.(I)
	return ok
}
