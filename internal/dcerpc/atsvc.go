package dcerpc

import "context"

// ATSVCClient calls the older half of [MS-TSCH] on a Client that is bound to ATSVC: jobs of the AT service, read-only.
type ATSVCClient struct{ *Client }

// The opnums of the calls below, of ATSVC and of TASKSCHED.
const (
	OpNetrJobEnum          = 2
	OpSchRpcHighestVersion = 0
)

// Job is AT_ENUM.
//
// See [MS-TSCH] 2.3.6.
type Job struct {
	ID, Time, DaysOfMonth uint32
	DaysOfWeek, Flags     uint8
	Command               *string
}

func (c *coder) jobs(j *[]Job) {
	counted(c, j, 20, func(e *Job) {
		c.u32(&e.ID)
		c.u32(&e.Time)
		c.u32(&e.DaysOfMonth)
		c.u8(&e.DaysOfWeek)
		c.u8(&e.Flags)
		pointer(c, &e.Command)
	}, func(e *Job) { c.strBody(e.Command) })
}

// NetrJobEnumRequest lists the jobs.
//
// See [MS-TSCH] 3.2.5.2.3.
type NetrJobEnumRequest struct {
	Server        *string
	Entries       []Job // empty
	MaximumLength uint32
	Resume        *uint32
}

func (r *NetrJobEnumRequest) ndr(c *coder) {
	c.optStr(&r.Server)
	c.jobs(&r.Entries)
	c.u32(&r.MaximumLength)
	c.optU32(&r.Resume)
}

// NetrJobEnumResponse holds the jobs. More reports whether to continue at Resume.
type NetrJobEnumResponse struct {
	Entries []Job
	Total   uint32
	Resume  *uint32
	WResult
}

func (r *NetrJobEnumResponse) ndr(c *coder) {
	c.jobs(&r.Entries)
	c.u32(&r.Total)
	c.optU32(&r.Resume)
	r.result(c)
}

// JobEnum lists the jobs, from resume on.
func (a ATSVCClient) JobEnum(ctx context.Context, server string, resume uint32) (*NetrJobEnumResponse, error) {
	request := &NetrJobEnumRequest{Server: &server, MaximumLength: preferAll, Resume: &resume}
	return invoke[NetrJobEnumResponse](ctx, a.Client, ATSVC, OpNetrJobEnum, request)
}

// TaskSchedulerClient calls the newer half of [MS-TSCH] on a Client that is bound to TASKSCHED.
type TaskSchedulerClient struct{ *Client }

// NoArguments is the argument list of calls without arguments.
type NoArguments struct{}

func (*NoArguments) ndr(*coder) {}

// HResult ends the response of an interface that returns an HRESULT.
type HResult struct{ Return uint32 }

func (r *HResult) result(c *coder) { c.u32(&r.Return) }

func (r *HResult) refused() error {
	if r.Return>>31 == 0 {
		return nil
	}
	return Returned{ReturnHResult, r.Return}.Err()
}

// SchRpcHighestVersionResponse returns the version of the protocol: major in the high half.
//
// See [MS-TSCH] 3.2.5.4.1.
type SchRpcHighestVersionResponse struct {
	Version uint32
	HResult
}

func (r *SchRpcHighestVersionResponse) ndr(c *coder) {
	c.u32(&r.Version)
	r.result(c)
}

// HighestVersion returns the version of the protocol.
func (t TaskSchedulerClient) HighestVersion(ctx context.Context) (*SchRpcHighestVersionResponse, error) {
	return invoke[SchRpcHighestVersionResponse](ctx, t.Client, TASKSCHED, OpSchRpcHighestVersion, &NoArguments{})
}
