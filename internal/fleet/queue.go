package fleet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"ipcguard/internal/store"
)

// Protocol is the version of the jobs that this program supports. It grows when an older worker would misunderstand a
// job.
const Protocol = 1

// batch is one job: targets of one site and one run. A job that runs twice has no further effect, because a unit ends
// once.
type batch struct {
	Protocol int           `json:"protocol"`
	Run      int64         `json:"run"`
	Site     int64         `json:"site"`
	Of       store.RunKind `json:"of"`
	Quick    bool          `json:"quick,omitempty"`
	Targets  []int64       `json:"targets"`
}

// Kind implements river.JobArgs.
func (batch) Kind() string { return "ipcguard.batch" }

// queueOf returns the name of a site's queue.
func queueOf(site int64) string { return fmt.Sprintf("site-%d", site) }

// again is the error of a job that must be given back and retried later. It is no failure.
type again struct {
	after time.Duration
	why   string
}

// Error implements error.
func (a again) Error() string { return a.why }

// queue keeps jobs in the database and hands them to workers. Only its implementation knows River.
type queue interface {
	// migrate creates or upgrades the tables of the queue.
	migrate(ctx context.Context) error
	// put adds jobs in a transaction.
	put(ctx context.Context, tx *store.Tx, jobs []batch) error
	// start runs the jobs of a site, several at a time, until stop. A job whose work returns again is given back; one
	// that fails otherwise is retried later.
	start(ctx context.Context, site int64, atOnce int, work func(context.Context, batch) error) error
	// stop cancels running jobs, which are given back, and waits for them.
	stop(ctx context.Context) error
	// release gives a dead worker's jobs to others, in a transaction. Otherwise they wait for the queue's own rescue,
	// which ignores heartbeats.
	release(ctx context.Context, tx *store.Tx, worker string) error
	// hasten makes jobs available that wait longer than any job has to: they are of a time before the clock was set
	// back.
	hasten(ctx context.Context) error
	// tidy removes the jobs of ended runs.
	tidy(ctx context.Context) error
	// alive counts the pending and running jobs of a run.
	alive(ctx context.Context, run int64) (int, error)
}

// timing contains the timeouts and intervals of a queue.
type timing struct {
	job    time.Duration // timeout of a job
	rescue time.Duration // when a job that did not end is given to another worker
	poll   time.Duration // interval for polling, if the database does not notify
}

// newQueue returns the queue for the database of st.
func newQueue(st *store.Store, name string, t timing, log *slog.Logger) queue {
	if st.Kind() == store.KindPostgres {
		return &riverQueue[pgx.Tx]{
			driver: riverpgxv5.New(st.Pool()), tx: (*store.Tx).PGX, name: name, timing: t, log: log,
			count: func(ctx context.Context, run int64) (n int, err error) {
				err = st.Pool().QueryRow(ctx,
					`SELECT count(*) FROM river_job WHERE state NOT IN ('completed', 'cancelled', 'discarded')
					AND (args->>'run')::bigint = $1`, run).Scan(&n)
				return n, err
			},
			sweep: func(ctx context.Context) error {
				_, err := st.Pool().Exec(ctx,
					`DELETE FROM river_job WHERE state IN ('available', 'scheduled', 'retryable')
					AND (args->>'run')::bigint IN (SELECT id FROM runs WHERE ended <> 0)`)
				return err
			},
			late: func(ctx context.Context) error {
				_, err := st.Pool().Exec(ctx,
					`UPDATE river_job SET state = 'available', scheduled_at = now()
					WHERE state IN ('available', 'scheduled', 'retryable') AND scheduled_at > now() + $1::interval`,
					2*longestPause)
				return err
			},
			free: func(ctx context.Context, tx *store.Tx, worker string) error {
				_, err := tx.PGX().Exec(ctx,
					`UPDATE river_job SET state = 'available', scheduled_at = now(), attempt = greatest(attempt - 1, 0)
					WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1`, worker)
				return err
			},
		}
	}
	return &riverQueue[*sql.Tx]{
		driver: riversqlite.New(st.DB()), tx: (*store.Tx).SQL, name: name, timing: t, log: log,
		count: func(ctx context.Context, run int64) (n int, err error) {
			err = st.DB().QueryRowContext(ctx,
				`SELECT count(*) FROM river_job WHERE state NOT IN ('completed', 'cancelled', 'discarded')
				AND json_extract(args, '$.run') = $1`, run).Scan(&n)
			return n, err
		},
		sweep: func(ctx context.Context) error {
			_, err := st.DB().ExecContext(ctx,
				`DELETE FROM river_job WHERE state IN ('available', 'scheduled', 'retryable')
				AND json_extract(args, '$.run') IN (SELECT id FROM runs WHERE ended <> 0)`)
			return err
		},
		late: func(ctx context.Context) error {
			_, err := st.DB().ExecContext(ctx,
				`UPDATE river_job SET state = 'available', scheduled_at = datetime('now', 'subsec')
				WHERE state IN ('available', 'scheduled', 'retryable')
				AND julianday(scheduled_at) > julianday('now') + $1`, (2*longestPause).Hours()/24)
			return err
		},
		free: func(ctx context.Context, tx *store.Tx, worker string) error {
			_, err := tx.SQL().ExecContext(ctx,
				`UPDATE river_job SET state = 'available', scheduled_at = datetime('now', 'subsec'),
				attempt = max(attempt - 1, 0) WHERE state = 'running' AND json_extract(attempted_by, '$[#-1]') = $1`, worker)
			return err
		},
	}
}

// The parameters of the queue. A job fails only if the database does; everything else is again. So there are many
// attempts, the last of them hours after the first; lost jobs are found by their units.
const (
	maxTries      = 20
	longestPause  = 5 * time.Minute
	keepJobs      = time.Hour // ended jobs, for administrators who look at the table
	fetchCooldown = 20 * time.Millisecond
)

// riverQueue is a queue on one of River's drivers.
type riverQueue[T any] struct {
	driver riverdriver.Driver[T]
	tx     func(*store.Tx) T
	name   string
	timing timing
	log    *slog.Logger
	count  func(ctx context.Context, run int64) (int, error)
	sweep  func(ctx context.Context) error
	late   func(ctx context.Context) error
	free   func(ctx context.Context, tx *store.Tx, worker string) error

	lock    sync.Mutex
	putter  *river.Client[T] // inserts jobs, runs none
	working *river.Client[T]
}

func (q *riverQueue[T]) migrate(ctx context.Context) error {
	m, err := rivermigrate.New(q.driver, &rivermigrate.Config{Logger: quiet(q.log)})
	if err == nil {
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	if err != nil {
		return fmt.Errorf("fleet: tables of the job queue: %w", err)
	}
	return nil
}

func (q *riverQueue[T]) put(ctx context.Context, tx *store.Tx, jobs []batch) error {
	q.lock.Lock()
	if q.putter == nil {
		c, err := river.NewClient(q.driver, &river.Config{ID: q.name + "-puts", Logger: quiet(q.log)})
		if err != nil {
			q.lock.Unlock()
			return fmt.Errorf("fleet: job queue: %w", err)
		}
		q.putter = c
	}
	client := q.putter
	q.lock.Unlock()
	params := make([]river.InsertManyParams, len(jobs))
	for i, j := range jobs {
		params[i] = river.InsertManyParams{
			Args:       j,
			InsertOpts: &river.InsertOpts{Queue: queueOf(j.Site), MaxAttempts: maxTries},
		}
	}
	if len(params) == 0 {
		return nil
	}
	if _, err := client.InsertManyFastTx(ctx, q.tx(tx), params); err != nil {
		return fmt.Errorf("fleet: adding jobs: %w", err)
	}
	return nil
}

func (q *riverQueue[T]) start(
	ctx context.Context, site int64, atOnce int, work func(context.Context, batch) error,
) error {
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{work: work, timeout: q.timing.job}); err != nil {
		return fmt.Errorf("fleet: job queue: %w", err)
	}
	c, err := river.NewClient(q.driver, &river.Config{
		ID: q.name, Logger: quiet(q.log), Workers: workers,
		Queues:               map[string]river.QueueConfig{queueOf(site): {MaxWorkers: atOnce}},
		JobTimeout:           q.timing.job,
		RescueStuckJobsAfter: q.timing.rescue,
		MaxAttempts:          maxTries,
		FetchCooldown:        fetchCooldown,
		FetchPollInterval:    q.timing.poll,

		CompletedJobRetentionPeriod: keepJobs,
		CancelledJobRetentionPeriod: keepJobs,
		DiscardedJobRetentionPeriod: keepJobs,
	})
	if err != nil {
		return fmt.Errorf("fleet: job queue: %w", err)
	}
	// The client outlives ctx, so that stop can give back running jobs.
	if err := c.Start(context.WithoutCancel(ctx)); err != nil { // only the database can fail here
		return fmt.Errorf("%w: job queue: %w", store.ErrUnavailable, err)
	}
	q.lock.Lock()
	q.working = c
	q.lock.Unlock()
	return nil
}

func (q *riverQueue[T]) stop(ctx context.Context) error {
	q.lock.Lock()
	c := q.working
	q.working = nil
	q.lock.Unlock()
	if c == nil {
		return nil
	}
	if err := c.StopAndCancel(ctx); err != nil {
		return fmt.Errorf("fleet: stopping the job queue: %w", err)
	}
	return nil
}

func (q *riverQueue[T]) release(ctx context.Context, tx *store.Tx, worker string) error {
	if err := q.free(ctx, tx, worker); err != nil {
		return fmt.Errorf("fleet: giving the jobs of %s to others: %w", worker, err)
	}
	return nil
}

func (q *riverQueue[T]) hasten(ctx context.Context) error {
	if err := q.late(ctx); err != nil {
		return fmt.Errorf("fleet: jobs of a time before the clock was set back: %w", err)
	}
	return nil
}

func (q *riverQueue[T]) tidy(ctx context.Context) error {
	if err := q.sweep(ctx); err != nil {
		return fmt.Errorf("fleet: removing jobs of runs that have ended: %w", err)
	}
	return nil
}

func (q *riverQueue[T]) alive(ctx context.Context, run int64) (int, error) { return q.count(ctx, run) }

// worker runs one job at a time, as River requires.
type worker struct {
	river.WorkerDefaults[batch]
	work    func(context.Context, batch) error
	timeout time.Duration
}

// Timeout implements river.Worker.
func (w *worker) Timeout(*river.Job[batch]) time.Duration { return w.timeout }

// NextRetry implements river.Worker: a second, then twice as long each time.
func (w *worker) NextRetry(job *river.Job[batch]) time.Time {
	return time.Now().Add(min(time.Second<<min(len(job.Errors), 20), longestPause))
}

// Work implements river.Worker.
func (w *worker) Work(ctx context.Context, job *river.Job[batch]) error {
	err := w.work(ctx, job.Args)
	var a again
	if errors.As(err, &a) {
		return river.JobSnooze(a.after)
	}
	return err
}

var _ rivertype.JobArgs = batch{}

// quiet passes on River's warnings. Its other messages do not concern an administrator.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(warnings{log.Handler()}) }

type warnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// WithAttrs implements slog.Handler.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
