package scan

import (
	"context"
	"errors"

	"ipcguard/internal/smb"
)

// A server that cuts a connection has not refused anything: a bad network and a device on the way do the same. Windows
// 8, Server 2012 and newer are an exception. If no pipe and no share is open to anonymous, they accept the session and
// drop the connection at the next request, whatever it is. See [MS-SMB2] 3.3.5.2.9. So a connection that is cut at the
// IPC$ tree connect is a refusal only of a server that
//
//   - is identified as Windows, and speaks SMB3;
//   - does it again on another connection, which has more behind it when it gets there;
//   - does it at another request, too;
//   - lets the connection stand until that request.
//
// Where one of these is missing, nothing is known, and the answer says which.

// Why a cut is no refusal. Each follows the words for the cut itself.
const (
	cutByWhom    = "Windows refuses like that, and it is not known that this server is Windows"
	cutByItself  = "the connection ends without a request, too, so this is not how Windows refuses"
	cutAlone     = "another request of such a session is answered, so this is not how Windows refuses"
	cutAnswered  = "a named share gets an answer, so this is not how Windows refuses"
	cutNotAgain  = "it was not seen again: "
	cutUndecided = "another request could not be tried: "
)

// cutAtIPC decides what it means that anonymous lost the connection at the IPC$ tree connect.
func (l *ladder) cutAtIPC(ctx context.Context) {
	switch system := l.system(); {
	case system == unknownSystem:
		l.noRefusal(cutByWhom)
	case system == "windows" && l.conn.Negotiated().Dialect >= smb.SMB300:
		if why := l.refusesLikeWindows(ctx); why != "" {
			l.noRefusal(why)
			return
		}
		l.result.Tree.Detail = "the connection is dropped at the first request after the anonymous session: twice at " +
			"IPC$, and at a logoff"
		l.result.ClosedBy = "the server accepts an anonymous session and drops the connection at the next request, " +
			"twice at IPC$ and at a logoff, as Windows does: no pipe and no share is open to anonymous"
	}
}

// noRefusal says why the lost connection leaves IPC$ unknown.
func (l *ladder) noRefusal(why string) {
	l.result.ClosedBy = ""
	l.result.Tree.Detail = "the connection is dropped at the tree connect to IPC$, which may be the network: " + why
}

// errStood says that a request that was to be cut got an answer.
var errStood = errors.New("scan: the request was answered")

// refusesLikeWindows looks for the rest of the evidence. It returns what is missing, or nothing.
func (l *ladder) refusesLikeWindows(ctx context.Context) string {
	why := ""
	err := l.cutAgain(ctx, func(_ *link, s smb.Session) error {
		_, err := s.TreeConnect(ctx, "IPC$")
		return err
	})
	if !dropped(err) {
		return cutNotAgain + whyNot(err)
	}
	err = l.cutAgain(ctx, func(c *link, s smb.Session) error {
		if err := sleep(ctx, shortSettle); err != nil {
			return err
		}
		if c.Ended() {
			why = cutByItself
		}
		return s.Logoff(ctx)
	})
	switch {
	case why != "":
		return why
	case errors.Is(err, errStood), isAnswer(err):
		return cutAlone
	case !dropped(err):
		return cutUndecided + whyNot(err)
	}
	return ""
}

func whyNot(err error) string {
	if errors.Is(err, errStood) {
		return "the request was answered"
	}
	return plain(err)
}

// cutAgain logs on as anonymous on a new connection and asks. The negotiate takes the detour over SMB1, one answer and
// some 200 bytes more than the answer to a tree connect. So a network that ends every connection after so many messages
// or bytes ends this one earlier, at the logon.
func (l *ladder) cutAgain(ctx context.Context, ask func(*link, smb.Session) error) error {
	offer := smb.AllDialects()
	if l.o.Dialects != nil || l.netBIOS() { // over NetBIOS the first connection took the detour, and this one does not
		offer = l.same()
	}
	conn, err := l.connect(ctx, l.meter, offer)
	if dropped(err) { // it takes no detour
		conn, err = l.connect(ctx, l.meter, l.same())
	}
	if err != nil {
		return beforeIt(err)
	}
	defer conn.Close()
	if conn.Negotiated().Dialect < smb.SMB300 {
		return errors.New("scan: it chose an older dialect this time")
	}
	session, err := l.logOn(ctx, conn)
	if err != nil {
		return beforeIt(err)
	}
	if err := ask(conn, session); err != nil {
		return err
	}
	return errStood
}

// beforeIt keeps an error before the request from being taken for a cut at it.
func beforeIt(err error) error { return errors.New("scan: before it, " + plain(err)) }
