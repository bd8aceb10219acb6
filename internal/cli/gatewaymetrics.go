package cli

import (
	"github.com/prometheus/client_golang/prometheus"

	"ipcguard/internal/gateway"
)

// gatewayMetrics writes the counts of a gateway to a file for the textfile collector of Prometheus' node_exporter. The
// gateway opens no port for them.
type gatewayMetrics struct {
	path  string // empty: no file
	stats func() gateway.Stats
}

func gatewayDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ipcguard_gateway_"+name, help, labels, nil)
}

var (
	gatewayOpen        = gatewayDesc("connections_open", "Connections now.")
	gatewayConnections = gatewayDesc("connections_total", "Connections that were taken.")
	gatewaySessions    = gatewayDesc("sessions_total", "Sessions that came in, by identity.", "identity")
	gatewayEncrypted   = gatewayDesc("sessions_encrypted_total",
		"Of the sessions, those that the server encrypts from the logon on.")
	gatewayUnread = gatewayDesc("sessions_unread_total",
		"Sessions of users who are denied something that could not be read.")
	gatewayRefused = gatewayDesc("refused_total",
		"Refusals by reason; with --observe-only what would have been refused.", "reason")
	gatewayAdded = gatewayDesc("added_seconds", "How long bytes stayed in the gateway, each way.")
	gatewaySince = gatewayDesc("start_time_seconds", "When the counts began, in seconds since 1970.")
)

// Describe implements prometheus.Collector.
func (m gatewayMetrics) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, out) }

// Collect implements prometheus.Collector.
func (m gatewayMetrics) Collect(out chan<- prometheus.Metric) {
	s := m.stats()
	counter := func(d *prometheus.Desc, n int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	out <- prometheus.MustNewConstMetric(gatewayOpen, prometheus.GaugeValue, float64(s.Open))
	out <- prometheus.MustNewConstMetric(gatewaySince, prometheus.GaugeValue, float64(s.Since.Unix()))
	counter(gatewayConnections, s.Connections)
	counter(gatewayEncrypted, s.Encrypted)
	counter(gatewayUnread, s.Unread)
	for who, n := range s.Sessions {
		counter(gatewaySessions, n, string(who))
	}
	for why, n := range s.Refused {
		counter(gatewayRefused, n, string(why))
	}
	buckets, below := map[float64]uint64{}, uint64(0)
	for i, bound := range s.Added.Bounds {
		below += uint64(s.Added.Counts[i])
		buckets[bound.Seconds()] = below
	}
	out <- prometheus.MustNewConstHistogram(gatewayAdded, uint64(s.Added.Count()), s.Added.Sum.Seconds(), buckets)
}

// write replaces the file completely, or not at all.
func (m gatewayMetrics) write() error {
	if m.path == "" {
		return nil
	}
	r := prometheus.NewRegistry()
	if err := r.Register(m); err != nil {
		return err
	}
	return prometheus.WriteToTextfile(m.path, r)
}
