package scan

import (
	"context"
	"errors"
	"slices"

	"ipcguard/internal/model"
	"ipcguard/internal/smb"
)

// A stranger's session has no secret, so it cannot be encrypted, and two servers do not bear that with a client which
// offered encryption:
//
//   - Samba with server smb encrypt = desired encrypts its interim answers, for which a guest has no key, so it ends
//     the connection at every call that takes more than half a millisecond: NT_STATUS_ENCRYPTION_FAILED in its log. [M]
//     Samba 4.17.12
//   - ksmbd with mandatory encryption says that the session is encrypted where it would say that it is a guest's, and
//     signs with the key of neither. [M] Linux 6.12
//
// Both serve a client that does not offer encryption, and a stranger may be such a client. It comes second, because
// Windows may refuse it and serve the other.

// connect opens one of the identity's connections.
func (l *ladder) connect(ctx context.Context, m *meter, dialects []smb.Dialect) (*link, error) {
	o := l.options(m, dialects, patient(l.o.Timeouts), l.o.Dial)
	o.NoEncryption = l.bare
	return l.connectWith(ctx, o)
}

// askedBare says how a stranger reached IPC$ in the end.
const askedBare = "asked without the offer to encrypt: with it the server did not serve this identity to the end"

// baring logs on and connects to IPC$ once more, without the offer to encrypt, if it was made and the identity has no
// secret. A refusal to such a client is none to a stranger, who may make the offer: only an open IPC$ counts.
func (l *ladder) baring(ctx context.Context) bool {
	if l.bare || l.dressed || !l.id.IsStranger() || !l.conn.Negotiated().CanEncrypt || ctx.Err() != nil {
		return false
	}
	l.bare = true
	if l.reconnect(ctx) != nil {
		l.bare, l.dressed = false, true
		return false
	}
	l.result.Tree = layerStep(model.LayerTree, nil)
	l.result.Tree.Detail = askedBare
	return true
}

// enterBare enters without the offer to encrypt if the server let the identity in with an answer that nothing proves.
// The made-up user, too: the logon that is repeated is none that was refused.
func (l *ladder) enterBare(ctx context.Context, err error) bool {
	var t *smb.TransportError
	if l.conn == nil || !errors.As(err, &t) || !t.Distrusted() || !l.baring(ctx) {
		return false
	}
	l.result.Session = layerStep(model.LayerSession, nil)
	return true
}

// bareAtOnce changes to asking without the offer before any question, if an earlier identity lost nothing like that and
// its connection with it. Where that leads nowhere for this one, it goes on as it logged on.
func (l *ladder) bareAtOnce(ctx context.Context) {
	if l.servesBare.Load() && !l.baring(ctx) && l.dressed {
		_ = l.reconnect(ctx) // without a connection every pipe says so
	}
}

// bareAgain asks the pipes that were lost with the connection again without the offer, all together as before: what is
// asked one after the other costs a round trip each time.
func (l *ladder) bareAgain(ctx context.Context, jobs []*job) {
	if l.tree == nil || !slices.ContainsFunc(jobs, func(j *job) bool { return j.dropped.Load() }) || !l.baring(ctx) {
		return
	}
	var where []int
	var second []*job
	for i, j := range jobs {
		if j.lost() {
			where = append(where, i)
			second = append(second, newJob(l, j.pipe))
		}
	}
	l.askAll(ctx, second)
	served := true
	for n, j := range second {
		served = served && !j.dropped.Load()
		if i := where[n]; jobs[i].dropped.Load() || j.doubts() < jobs[i].doubts() {
			jobs[i] = j
		}
	}
	if served && ctx.Err() == nil {
		l.servesBare.Store(true)
		l.shares(ctx, l.session, l.named()) // they may have been lost with the pipes
	}
}
