//! The few calls of librados that a pass needs, loaded at run time: the binary starts and works without the library.
//!
//! The only module with `unsafe` in it. It is used by the child process alone that `petanotify ask-ceph` is, so that a crash
//! or a hang inside the library takes no pass with it.

#![allow(unsafe_code, reason = "librados is a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::ptr;

use libloading::Library;
use rustix::io::Errno;

/// What the library is called since Ceph 0.2x; the calls used here have not changed since Ceph 0.60 (2013).
pub const FILE: &str = "librados.so.2";

/// `rados_t`: a cluster handle, opaque.
type Handle = *mut c_void;

type Version = unsafe extern "C" fn(*mut c_int, *mut c_int, *mut c_int);
type Create2 = unsafe extern "C" fn(*mut Handle, *const c_char, *const c_char, u64) -> c_int;
type ConfReadFile = unsafe extern "C" fn(Handle, *const c_char) -> c_int;
type ConfParseArgv = unsafe extern "C" fn(Handle, c_int, *const *const c_char) -> c_int;
type ConfSet = unsafe extern "C" fn(Handle, *const c_char, *const c_char) -> c_int;
type Connect = unsafe extern "C" fn(Handle) -> c_int;
type Shutdown = unsafe extern "C" fn(Handle);
type MonCommand = unsafe extern "C" fn(
    Handle,
    *const *const c_char,
    usize,
    *const c_char,
    usize,
    *mut *mut c_char,
    *mut usize,
    *mut *mut c_char,
    *mut usize,
) -> c_int;
type BufferFree = unsafe extern "C" fn(*mut c_char);

/// The library with the calls that were looked up in it.
pub struct Librados {
    version: Version,
    create2: Create2,
    conf_read_file: ConfReadFile,
    conf_parse_argv: ConfParseArgv,
    conf_set: ConfSet,
    connect: Connect,
    shutdown: Shutdown,
    mon_command: MonCommand,
    buffer_free: BufferFree,
    /// The calls above lie in it.
    _library: Library,
}

impl Librados {
    /// Loads the library, wherever the dynamic linker finds it.
    ///
    /// # Errors
    /// It is not there, or lacks one of the calls; in the dynamic linker's words.
    pub fn load() -> Result<Librados, String> {
        let words = |error: libloading::Error| format!("{:#}", anyhow::Error::from(error));
        // SAFETY: the library's initialisers run; librados's own do nothing but set up its globals, and no thread of ours
        // runs yet that could be disturbed.
        let library = unsafe { Library::new(FILE) }.map_err(words)?;
        // SAFETY: the types above are those of the declarations in librados.h. The pointers outlive their `Symbol`s, but
        // not the library, which is kept beside them and dropped last.
        unsafe {
            Ok(Librados {
                version: *library.get(c"rados_version").map_err(words)?,
                create2: *library.get(c"rados_create2").map_err(words)?,
                conf_read_file: *library.get(c"rados_conf_read_file").map_err(words)?,
                conf_parse_argv: *library.get(c"rados_conf_parse_argv").map_err(words)?,
                conf_set: *library.get(c"rados_conf_set").map_err(words)?,
                connect: *library.get(c"rados_connect").map_err(words)?,
                shutdown: *library.get(c"rados_shutdown").map_err(words)?,
                mon_command: *library.get(c"rados_mon_command").map_err(words)?,
                buffer_free: *library.get(c"rados_buffer_free").map_err(words)?,
                _library: library,
            })
        }
    }

    /// The version of the library's interface, such as 3.0.0; not that of Ceph.
    pub fn version(&self) -> String {
        let (mut major, mut minor, mut extra) = (0, 0, 0);
        // SAFETY: three valid places to write to.
        unsafe { (self.version)(&raw mut major, &raw mut minor, &raw mut extra) };
        format!("{major}.{minor}.{extra}")
    }

    /// A handle for a cluster that is not connected yet. `user` is a whole name such as `client.admin`.
    ///
    /// # Errors
    /// What `rados_create2` returned.
    pub fn cluster(&self, cluster: &CStr, user: &CStr) -> Result<Cluster<'_>, Errno> {
        let mut handle = ptr::null_mut();
        // SAFETY: a place for the handle and two strings that live during the call.
        check(unsafe { (self.create2)(&raw mut handle, cluster.as_ptr(), user.as_ptr(), 0) })?;
        Ok(Cluster {
            librados: self,
            handle,
            one_thread: PhantomData,
        })
    }
}

/// A cluster, given up when dropped.
pub struct Cluster<'a> {
    librados: &'a Librados,
    /// Valid until it is shut down, which only `drop` does.
    handle: Handle,
    one_thread: PhantomData<*mut ()>,
}

impl Cluster<'_> {
    /// Reads this configuration file, or where none is named those of `$CEPH_CONF` or the default places.
    ///
    /// # Errors
    /// What `rados_conf_read_file` returned: `ENOENT`, or `EINVAL` for a file that can't be understood.
    pub fn read_conf(&self, file: Option<&CStr>) -> Result<(), Errno> {
        let file = file.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: a valid handle; a string that lives during the call, or null, which librados.h allows.
        check(unsafe { (self.librados.conf_read_file)(self.handle, file) })
    }

    /// Takes settings in the form of Ceph's command lines, such as `--mon-host=…`; what is none is ignored.
    ///
    /// # Errors
    /// What `rados_conf_parse_argv` returned.
    pub fn parse_arguments(&self, arguments: &[CString]) -> Result<(), Errno> {
        // The first is the program's name.
        let mut pointers = vec![c"ceph".as_ptr()];
        pointers.extend(arguments.iter().map(|argument| argument.as_ptr()));
        let count = c_int::try_from(pointers.len()).map_err(|_| Errno::TOOBIG)?;
        // SAFETY: a valid handle, `count` strings that live during the call, which reads them only.
        check(unsafe { (self.librados.conf_parse_argv)(self.handle, count, pointers.as_ptr()) })
    }

    /// Sets one setting.
    ///
    /// # Errors
    /// What `rados_conf_set` returned.
    pub fn set(&self, option: &CStr, value: &CStr) -> Result<(), Errno> {
        // SAFETY: a valid handle and two strings that live during the call.
        check(unsafe { (self.librados.conf_set)(self.handle, option.as_ptr(), value.as_ptr()) })
    }

    /// Connects to a monitor and logs in, waiting for the setting `client_mount_timeout` at most.
    ///
    /// # Errors
    /// What `rados_connect` returned: `ETIMEDOUT`, `EACCES`, …
    pub fn connect(&self) -> Result<(), Errno> {
        // SAFETY: a valid handle; `Cluster` can't be shared between threads, so nobody else uses it.
        check(unsafe { (self.librados.connect)(self.handle) })
    }

    /// Asks the monitors, waiting for the setting `rados_mon_op_timeout` at most. Needs a connection.
    ///
    /// # Errors
    /// What `rados_mon_command` returned, and the monitor's words about it.
    pub fn ask(&self, command: &CStr) -> Result<Vec<u8>, (Errno, String)> {
        let commands = [command.as_ptr()];
        let (mut answer, mut answer_len) = (ptr::null_mut(), 0);
        let (mut words, mut words_len) = (ptr::null_mut(), 0);
        // SAFETY: a valid handle, one string that lives during the call, no input, places for two buffers.
        let result = unsafe {
            (self.librados.mon_command)(
                self.handle,
                commands.as_ptr(),
                commands.len(),
                ptr::null(),
                0,
                &raw mut answer,
                &raw mut answer_len,
                &raw mut words,
                &raw mut words_len,
            )
        };
        let answer = self.take(answer, answer_len);
        let words = self.take(words, words_len);
        check(result)
            .map(|()| answer)
            .map_err(|errno| (errno, String::from_utf8_lossy(&words).into_owned()))
    }

    /// Copies a buffer of the library's and gives it back.
    fn take(&self, buffer: *mut c_char, len: usize) -> Vec<u8> {
        if buffer.is_null() {
            return Vec::new();
        }
        // SAFETY: librados filled it with `len` bytes, and it is ours until it is given back just below, once.
        unsafe {
            let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), len).to_vec();
            (self.librados.buffer_free)(buffer);
            bytes
        }
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        // SAFETY: a valid handle, used by nobody afterwards.
        unsafe { (self.librados.shutdown)(self.handle) }
    }
}

/// librados returns 0 or more, or a negative error number.
fn check(result: c_int) -> Result<(), Errno> {
    if result < 0 {
        Err(Errno::from_raw_os_error(result.saturating_neg()))
    } else {
        Ok(())
    }
}
