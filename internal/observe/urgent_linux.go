package observe

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// urgency is the niceness of the reading thread if it may not have real-time priority.
const urgency = -10

// hurry raises the priority of the calling thread, if that is permitted, until the returned function is called. The
// thread needs little time, a tenth of a processor at 3 Gbit/s, but must run before the ring is full. Niceness alone is
// not enough: it counts only within a session or a control group, and such a thread waited 0.2 s beside busy servers of
// others. So it gets the lowest real-time priority, which the kernel limits to 95 % of a processor. That needs
// CAP_SYS_NICE or RLIMIT_RTPRIO.
func hurry() (calm func()) {
	runtime.LockOSThread()
	const normal = 0 // SCHED_NORMAL
	urgent := unix.SchedAttr{
		Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Flags: unix.SCHED_FLAG_RESET_ON_FORK,
		Priority: 1,
	}
	if unix.SchedSetAttr(0, &urgent, 0) == nil {
		return func() {
			_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: normal}, 0)
			runtime.UnlockOSThread()
		}
	}
	was, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err == nil {
		err = unix.Setpriority(unix.PRIO_PROCESS, 0, urgency)
	}
	return func() {
		if err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 20-was) // the system call returns 20 minus the niceness
		}
		runtime.UnlockOSThread()
	}
}
