"""MIDI from JACK: the client of extensions/jack_midi.c, held by a Python object."""

from libc.stdint cimport int64_t, uint8_t


cdef extern from "jack_midi.h":
    ctypedef struct jack_midi_event_t:
        int64_t time_ns
        uint8_t port, size
        uint8_t bytes[6]
    ctypedef struct jack_midi_t:
        pass
    const char *jack_midi_library()
    jack_midi_t *jack_midi_open(const char *, const char *) nogil
    void jack_midi_close(jack_midi_t *) nogil
    void jack_midi_free(jack_midi_t *)
    bint jack_midi_alive(const jack_midi_t *)
    const char **jack_midi_sources(jack_midi_t *) nogil
    void jack_midi_free_names(jack_midi_t *, const char **)
    int jack_midi_add_port(jack_midi_t *, const char *) nogil
    bint jack_midi_connect(jack_midi_t *, int, const char *) nogil
    bint jack_midi_disconnect(jack_midi_t *, int, const char *) nogil
    bint jack_midi_connected(const jack_midi_t *, int, const char *)
    bint jack_midi_wait(jack_midi_t *, int64_t) nogil
    bint jack_midi_read(jack_midi_t *, jack_midi_event_t *)


def library_path():
    """The file that libjack is loaded from, or None where it is not installed."""
    cdef const char *path = jack_midi_library()
    return path.decode() if path else None


cdef class JackMidi:
    """A client of the default JACK server that hears MIDI; `library` is libjack's file.

    ConnectionError where no server answers. `read` and `wait` belong to one thread, all else to another; after `close`
    nothing else may be called.
    """
    cdef jack_midi_t *midi

    def __cinit__(self, str library, str name):
        cdef bytes library_bytes = library.encode(), name_bytes = name.encode()
        cdef const char *path = library_bytes
        cdef const char *client_name = name_bytes
        with nogil:
            self.midi = jack_midi_open(path, client_name)
        if not self.midi:
            raise ConnectionError("no JACK server answers")

    def __dealloc__(self):
        if self.midi:
            with nogil:
                jack_midi_close(self.midi)
            jack_midi_free(self.midi)

    def close(self):
        """End the client."""
        with nogil:
            jack_midi_close(self.midi)

    @property
    def alive(self):
        """Whether the server still runs."""
        return jack_midi_alive(self.midi)

    def sources(self):
        """Names of every port that sends MIDI."""
        cdef const char **names
        with nogil:
            names = jack_midi_sources(self.midi)
        listed, index = [], 0
        if names:
            while names[index]:
                listed.append(names[index].decode(errors="replace"))
                index += 1
            jack_midi_free_names(self.midi, names)
        return listed

    def add_port(self, str name):
        """The number of a new input port; OSError where there can be no more."""
        cdef bytes name_bytes = name.encode()
        cdef const char *port_name = name_bytes
        cdef int port
        with nogil:
            port = jack_midi_add_port(self.midi, port_name)
        if port < 0:
            raise OSError("JACK gives no more ports")
        return port

    def connect(self, int port, str source):
        """Whether an input port now hears the port named `source`."""
        cdef bytes source_bytes = source.encode()
        cdef const char *name = source_bytes
        cdef bint done
        with nogil:
            done = jack_midi_connect(self.midi, port, name)
        return done

    def disconnect(self, int port, str source):
        """Whether an input port was connected to `source`, and is no longer."""
        cdef bytes source_bytes = source.encode()
        cdef const char *name = source_bytes
        cdef bint done
        with nogil:
            done = jack_midi_disconnect(self.midi, port, name)
        return done

    def connected(self, int port, str source):
        """Whether an input port hears the port named `source`."""
        return jack_midi_connected(self.midi, port, source.encode())

    def wait(self, double timeout_s):
        """Whether events have come before `timeout_s` had passed."""
        cdef int64_t timeout_ns = <int64_t>(timeout_s * 1e9)
        cdef bint came
        with nogil:
            came = jack_midi_wait(self.midi, timeout_ns)
        return came

    def read(self):
        """What has come since the last call: (port, bytes, monotonic time in ns), the order of each port kept."""
        cdef jack_midi_event_t event
        events = []
        while jack_midi_read(self.midi, &event):
            events.append((event.port, event.bytes[:event.size], event.time_ns))
        return events
