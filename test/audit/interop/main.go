// A client of C2SP logs that is not ours: golang.org/x/mod/sumdb (note and tlog), as the Go command itself uses it.
// It checks a log that Writ wrote, checks proofs that Writ made, and writes a log for Writ to verify. Paths of tlog-tiles
// are those of sumdb without the height: tile/8/0/000 is tile/0/000.
//
//	check DIR VKEY      every checkpoint of DIR: signature, tree from entries, tiles, proofs
//	proofs < JSON lines {"t","th","n","h","p"} as CheckRecord takes them, or with "tree": true as CheckTree does
//	write DIR NAME SIZE a log of SIZE entries; prints its vkey
package main

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	log.SetFlags(0)
	switch os.Args[1] {
	case "check":
		check(os.Args[2], os.Args[3])
	case "proofs":
		proofs()
	case "write":
		size, err := strconv.ParseInt(os.Args[4], 10, 64)
		must(err)
		write(os.Args[2], os.Args[3], size)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// path is where tlog-tiles keeps a tile of sumdb.
func path(t tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", height))
}

// tiles reads the tiles of a directory; tlog checks what it gets against the root.
type tiles struct{ dir string }

func (tiles) Height() int                     { return height }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (r tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, t := range wanted {
		bytes, err := os.ReadFile(filepath.Join(r.dir, path(t)))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

// stored is every hash of a tree in memory, in the order of tlog.StoredHashIndex.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, i := range indexes {
		hashes = append(hashes, s[i])
	}
	return hashes, nil
}

func open(file string, verifier note.Verifier) tlog.Tree {
	bytes, err := os.ReadFile(file)
	must(err)
	opened, err := note.Open(bytes, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		log.Fatalf("%s is no checkpoint of %s", file, verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return tlog.Tree{N: size, Hash: root}
}

// entries are those of the bundles that a tree of this size has.
func entries(dir string, size int64) [][]byte {
	var all [][]byte
	for n := int64(0); n*256 < size; n++ {
		width := size - n*256
		if width > 256 {
			width = 256
		}
		t := tlog.Tile{H: height, L: 0, N: n, W: int(width)}
		bytes, err := os.ReadFile(filepath.Join(dir, strings.Replace(path(t), "tile/0/", "tile/entries/", 1)))
		must(err)
		for len(bytes) > 0 {
			end := 2 + int(binary.BigEndian.Uint16(bytes))
			all = append(all, bytes[2:end])
			bytes = bytes[end:]
		}
	}
	return all
}

func check(dir, vkey string) {
	verifier, err := note.NewVerifier(vkey)
	must(err)
	files, err := filepath.Glob(filepath.Join(dir, "checkpoints", "*"))
	must(err)
	var trees []tlog.Tree
	for _, file := range append(files, filepath.Join(dir, "checkpoint")) {
		trees = append(trees, open(file, verifier))
	}
	sort.Slice(trees, func(i, j int) bool { return trees[i].N < trees[j].N })

	largest := trees[len(trees)-1]
	data := entries(dir, largest.N)
	if int64(len(data)) != largest.N {
		log.Fatalf("%d entries in the bundles of a tree of %d", len(data), largest.N)
	}
	var all stored
	for n, entry := range data {
		hashes, err := tlog.StoredHashes(int64(n), entry, all)
		must(err)
		all = append(all, hashes...)
	}
	for i, tree := range trees {
		// The root that the entries make; tlog itself has no root of the empty tree.
		if tree.N > 0 {
			root, err := tlog.TreeHash(tree.N, all)
			must(err)
			if root != tree.Hash {
				log.Fatalf("the entries of size %d do not hash to its checkpoint", tree.N)
			}
		}
		reader := tlog.TileHashReader(tree, tiles{dir})
		records := 0
		for n := int64(0); n < tree.N; n += step(tree.N, n) {
			hash := tlog.RecordHash(data[n])
			proof, err := tlog.ProveRecord(tree.N, n, reader)
			must(err)
			must(tlog.CheckRecord(proof, tree.N, tree.Hash, n, hash))
			records++
		}
		if i > 0 && trees[i-1].N > 0 {
			old := trees[i-1]
			proof, err := tlog.ProveTree(tree.N, old.N, reader)
			must(err)
			must(tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash))
		}
		fmt.Println(tree.N, records)
	}
}

// step visits every record of a small tree, and of a large one a sample with both ends.
func step(size, n int64) int64 {
	if size <= 1000 || n == size-1 {
		return 1
	}
	if next := n + 487; next < size {
		return 487
	}
	return size - 1 - n
}

func proofs() {
	type claim struct {
		Tree bool        `json:"tree"`
		T    int64       `json:"t"`
		TH   tlog.Hash   `json:"th"`
		N    int64       `json:"n"`
		H    tlog.Hash   `json:"h"`
		P    []tlog.Hash `json:"p"`
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	count := 0
	for lines.Scan() {
		var c claim
		must(json.Unmarshal(lines.Bytes(), &c))
		if c.Tree {
			must(tlog.CheckTree(c.P, c.T, c.TH, c.N, c.H))
		} else {
			must(tlog.CheckRecord(c.P, c.T, c.TH, c.N, c.H))
		}
		count++
	}
	must(lines.Err())
	fmt.Println(count)
}

func write(dir, name string, size int64) {
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	must(err)
	signer, err := note.NewSigner(skey)
	must(err)
	put := func(file string, bytes []byte) {
		file = filepath.Join(dir, file)
		must(os.MkdirAll(filepath.Dir(file), 0o755))
		must(os.WriteFile(file, bytes, 0o644))
	}
	var all stored
	var bundle []byte
	for n := int64(0); n < size; n++ {
		entry := []byte(fmt.Sprintf("entry %d, not JSON\x00\xff", n))
		hashes, err := tlog.StoredHashes(n, entry, all)
		must(err)
		all = append(all, hashes...)
		bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(entry))), entry...)
		if n%256 == 255 || n == size-1 {
			t := tlog.Tile{H: height, L: 0, N: n / 256, W: int(n%256 + 1)}
			put(strings.Replace(path(t), "tile/0/", "tile/entries/", 1), bundle)
			bundle = nil
		}
	}
	for _, t := range tlog.NewTiles(height, 0, size) {
		// Every width of the way comes along; the tree has the last of each tile.
		if t.W < 256 && t.N*256+int64(t.W) != size>>(height*t.L) {
			continue
		}
		bytes, err := tlog.ReadTileData(t, all)
		must(err)
		put(path(t), bytes)
	}
	// The root of the empty tree is the hash of nothing; tlog does not know it.
	root, err := tlog.ParseHash("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")
	must(err)
	if size > 0 {
		root, err = tlog.TreeHash(size, all)
		must(err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", name, size, base64.StdEncoding.EncodeToString(root[:]))
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	must(err)
	put("checkpoint", signed)
	fmt.Println(vkey)
}
