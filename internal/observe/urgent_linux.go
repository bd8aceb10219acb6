package observe

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// urgency is the niceness of the thread that reads where it may not be more urgent than that.
const urgency = -10

// hurry makes the calling thread urgent, where that is allowed, until the function that it returns is called. The thread does
// little, a tenth of a processor at 3 Gbit/s, but must do it before the ring is full. Niceness alone does not help: it
// counts within a session or a control group, and such a thread was seen to wait 0.2 s beside busy servers of others. So it
// is of the lowest real-time priority, which the kernel ends at 95 % of a processor. It takes CAP_SYS_NICE or
// RLIMIT_RTPRIO.
func hurry() (calm func()) {
	runtime.LockOSThread()
	const normal = 0 // SCHED_NORMAL
	urgent := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Flags: unix.SCHED_FLAG_RESET_ON_FORK, Priority: 1}
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
			_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 20-was) // the system call tells 20 minus the niceness
		}
		runtime.UnlockOSThread()
	}
}
