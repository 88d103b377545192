//! The two calls to the kernel that no crate wraps: attaching to a TUN device, and shutting an ext4
//! file system down as a power cut does. The only unsafe code of this package.

#![allow(
    unsafe_code,
    reason = "ioctls pass untyped memory; both are written out here"
)]

use rustix::ioctl::{Opcode, Setter, Updater, ioctl};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What a network device's name may take, with the zero behind it (`IFNAMSIZ`).
const NAME: usize = 16;

/// `struct ifreq` of Linux' `if.h`, as far as TUN devices use it; 40 bytes on 64 bits.
#[repr(C)]
struct Request {
    name: [u8; NAME],
    flags: i16,
    unused: [u8; 22],
}

const _: () = assert!(size_of::<Request>() == 40);

/// Makes a TUN device in the network namespace that this thread is in. It carries bare IP packets,
/// one for each read and write, and lives as long as the file. Reads do not wait.
pub fn tun(name: &str) -> io::Result<File> {
    const TUNSETIFF: Opcode = 0x4004_54ca;
    const IFF_TUN: i16 = 0x0001;
    const IFF_NO_PI: i16 = 0x1000;
    if name.is_empty() || name.len() >= NAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a device's name",
        ));
    }
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32)
        .open("/dev/net/tun")?;
    let mut request = Request {
        name: [0; NAME],
        flags: IFF_TUN | IFF_NO_PI,
        unused: [0; 22],
    };
    for (to, byte) in request.name.iter_mut().zip(name.bytes()) {
        *to = byte;
    }
    // SAFETY: the kernel reads a `struct ifreq` behind the pointer that `Updater` passes, and writes
    // into it no more than its 40 bytes, of which any values are allowed.
    unsafe { ioctl(&device, Updater::<TUNSETIFF, Request>::new(&mut request))? };
    Ok(device)
}

/// Shuts the ext4 file system of a folder down: nothing is written to it any more, not even what is
/// in its own journal's memory (`EXT4_IOC_SHUTDOWN`, `EXT4_GOING_FLAGS_NOLOGFLUSH`, from `fs/ext4/ext4.h`).
pub fn shut_ext4_down(mounted: &Path) -> io::Result<()> {
    const EXT4_IOC_SHUTDOWN: Opcode = 0x8004_587d;
    const NO_LOG_FLUSH: u32 = 2;
    let folder = File::open(mounted)?;
    // SAFETY: the kernel reads one u32 behind the pointer that `Setter` passes, and writes nothing.
    unsafe { ioctl(&folder, Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH))? };
    Ok(())
}
