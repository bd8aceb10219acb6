package observe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/gopacket/gopacket/layers"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The kernel writes packets into blocks of shared memory, so that neither a copy nor a system call is needed for each.
// See packet_mmap.txt in the kernel's documentation, TPACKET_V3.
const (
	blockSize = 1 << 20
	// minBlocks and maxBlocks bound the ring. Two clients on loopback moved 1.4 GB/s for a while, and a thread of the
	// highest priority waited 40 ms for a processor: 60 MB. 128 MiB are 90 ms of that, and a tenth of a second of 10
	// Gbit/s.
	minBlocks, maxBlocks = 8, 128
	// retire is the time after which an incomplete block is handed over, in milliseconds.
	retire = 50
	// patience is the longest wait for packets before the clock is checked, in milliseconds.
	patience = 200
)

// Offsets in a block and in a packet's header. See struct tpacket_block_desc and tpacket3_hdr, linux/if_packet.h.
const (
	blockStatus  = 8
	blockPackets = 12
	blockFirst   = 16

	packetNext   = 0
	packetSec    = 4
	packetNano   = 8
	packetSnap   = 12
	packetLen    = 16
	packetMAC    = 24
	packetHeader = 48 // the length of the header; struct sockaddr_ll follows
	llHardware   = 8
	llType       = 10
)

// ring is the socket of one interface.
type ring struct {
	name     string
	fd       int
	blocks   []byte
	next     int
	most     int // most blocks that were waiting at a time
	loopback bool
}

// wire is the sockets of all interfaces.
type wire struct {
	rings []*ring
	polls []unix.PollFd
	stats time.Time
}

func listen(names []string, ports []uint16, memory int) (*wire, error) {
	w := new(wire)
	blocks := min(max(memory/blockSize/len(names), minBlocks), maxBlocks)
	for _, name := range names {
		r, err := openRing(name, ports, blocks)
		if err != nil {
			w.close()
			if errors.Is(err, os.ErrPermission) {
				return nil, fmt.Errorf("live:%s: capturing takes root or CAP_NET_RAW: %w", name, err)
			}
			return nil, fmt.Errorf("live:%s: %w", name, err)
		}
		w.rings = append(w.rings, r)
		w.polls = append(w.polls, unix.PollFd{Fd: int32(r.fd), Events: unix.POLLIN | unix.POLLERR})
	}
	return w, nil
}

func (w *wire) close() {
	for _, r := range w.rings {
		r.close()
	}
}

func (r *ring) close() {
	if r.blocks != nil {
		_ = unix.Munmap(r.blocks)
	}
	_ = unix.Close(r.fd)
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

func openRing(name string, ports []uint16, blocks int) (r *ring, err error) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	// Protocol 0 until the filter is set: nothing must arrive unfiltered.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	r = &ring{name: name, fd: fd, loopback: link.Flags&net.FlagLoopback != 0}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3); err != nil {
		return nil, fmt.Errorf("TPACKET_V3: %w", err)
	}
	if hardware(name) == unix.ARPHRD_ETHER || r.loopback {
		program, err := bpf.Assemble(filter(ports))
		if err != nil {
			return nil, err
		}
		f := unix.SockFprog{Len: uint16(len(program)), Filter: (*unix.SockFilter)(unsafe.Pointer(&program[0]))}
		err = unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &f)
		runtime.KeepAlive(program)
		if err != nil {
			return nil, fmt.Errorf("packet filter: %w", err)
		}
	}
	if r.loopback { // each packet appears twice, leaving and arriving; kernels before 4.20 cannot omit one
		_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	}
	for {
		const frame = 1 << 16
		err := unix.SetsockoptTpacketReq3(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
			Block_size: blockSize, Block_nr: uint32(blocks), Frame_size: frame,
			Frame_nr: uint32(blockSize / frame * blocks), Retire_blk_tov: retire,
		})
		if err == nil {
			break
		}
		if blocks /= 2; !errors.Is(err, unix.ENOMEM) || blocks < minBlocks {
			return nil, fmt.Errorf("packet ring: %w", err)
		}
	}
	if r.blocks, err = unix.Mmap(fd, 0, blockSize*blocks, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("packet ring: %w", err)
	}
	membership := unix.PacketMreq{Ifindex: int32(link.Index), Type: unix.PACKET_MR_PROMISC}
	if !r.loopback { // a mirror port's packets are for others
		if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &membership); err != nil {
			return nil, fmt.Errorf("promiscuous mode: %w", err)
		}
	}
	return r, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: link.Index})
}

// hardware returns an interface's type. See linux/if_arp.h.
func hardware(name string) int {
	b, err := os.ReadFile("/sys/class/net/" + name + "/type")
	if err != nil {
		return unix.ARPHRD_ETHER
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return unix.ARPHRD_ETHER
	}
	return n
}

// read handles the waiting packets, or waits a little.
func (w *wire) read(t *Traffic) error {
	any := false
	for _, r := range w.rings {
		got, err := r.block(t)
		if err != nil {
			return err
		}
		any = any || got
	}
	if err := w.drops(t, false); err != nil || any {
		return err
	}
	_, err := unix.Poll(w.polls, patience)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("waiting for packets: %w", err)
	}
	for i := range w.polls {
		if w.polls[i].Revents&unix.POLLERR != 0 {
			n, err := unix.GetsockoptInt(w.rings[i].fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err == nil && n != 0 {
				err = unix.Errno(n)
			}
			if err != nil {
				return fmt.Errorf("live:%s: %w", w.rings[i].name, err)
			}
		}
	}
	return nil
}

// drain handles what the kernel has at the end: full blocks, and the last one when its time is over.
func (w *wire) drain(t *Traffic) error {
	for end := time.Now().Add(2 * retire * time.Millisecond); ; {
		any := false
		for _, r := range w.rings {
			got, err := r.block(t)
			if err != nil {
				return err
			}
			any = any || got
		}
		if !any {
			if time.Now().After(end) {
				return w.drops(t, true)
			}
			_, _ = unix.Poll(w.polls, retire)
		}
	}
}

// drops counts the packets that the kernel had no room for. Asking resets its count.
func (w *wire) drops(t *Traffic, now bool) error {
	if !now && time.Since(w.stats) < time.Second {
		return nil
	}
	w.stats = time.Now()
	for _, r := range w.rings {
		s, err := unix.GetsockoptTpacketStatsV3(r.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err != nil {
			return fmt.Errorf("live:%s: packet statistics: %w", r.name, err)
		}
		t.dropped += int64(s.Drops)
	}
	return nil
}

// block handles the next block, if the kernel has released it.
func (r *ring) block(t *Traffic) (bool, error) {
	if !r.ready(0) {
		return false, nil
	}
	for r.most < r.count() && r.ready(r.most) {
		r.most++
	}
	t.fullest = max(t.fullest, float64(r.most)/float64(r.count()))
	b := r.blocks[r.next*blockSize : (r.next+1)*blockSize]
	t.Source("live:" + r.name)
	ne := binary.NativeEndian
	at := int(ne.Uint32(b[blockFirst:]))
	for range ne.Uint32(b[blockPackets:]) {
		if at+packetHeader+20 > len(b) {
			return false, fmt.Errorf("live:%s: a packet outside its block", r.name)
		}
		h := b[at:]
		mac, snap := int(ne.Uint16(h[packetMAC:])), int(ne.Uint32(h[packetSnap:]))
		if mac+snap > len(h) {
			return false, fmt.Errorf("live:%s: a packet outside its block", r.name)
		}
		ll := h[packetHeader:]
		if !r.loopback || ll[llType] != unix.PACKET_OUTGOING {
			when := time.Unix(int64(ne.Uint32(h[packetSec:])), int64(ne.Uint32(h[packetNano:]))).UTC()
			t.captured++
			t.Packet(linkType(ne.Uint16(ll[llHardware:])), h[mac:mac+snap], int(ne.Uint32(h[packetLen:])), when)
		}
		next := int(ne.Uint32(h[packetNext:]))
		if next == 0 {
			break
		}
		at += next
	}
	atomic.StoreUint32(r.status(0), unix.TP_STATUS_KERNEL)
	r.next = (r.next + 1) % r.count()
	return true, nil
}

func (r *ring) count() int { return len(r.blocks) / blockSize }

// status returns the word that says who owns the nth block after the next one.
func (r *ring) status(n int) *uint32 {
	return (*uint32)(unsafe.Pointer(&r.blocks[(r.next+n)%r.count()*blockSize+blockStatus]))
}

// ready reports whether the kernel has released that block.
func (r *ring) ready(n int) bool { return atomic.LoadUint32(r.status(n))&unix.TP_STATUS_USER != 0 }

// linkType returns the link type of an interface's packets.
func linkType(hardware uint16) layers.LinkType {
	switch hardware {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return layers.LinkTypeEthernet
	}
	return layers.LinkTypeRaw // tunnels and point-to-point links
}
