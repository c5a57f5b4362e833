//! One direction of a tunnel: bytes are passed on as they come, no faster than they are taken, and a Close of the gateway's own
//! is put between two frames when it ends the tunnel.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::Instant,
};

use crate::policy::websocket::frames::{self, Scanner};

/// Bytes that are on their way at once, in each direction.
const BUFFER: usize = 16 * 1024;

/// What the gateway tells both sides when it ends a tunnel itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Farewell {
    /// To the client.
    pub(super) code: u16,
    pub(super) words: &'static str,
}

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToService,
    ToClient,
}

/// What both directions of a tunnel know of it.
#[derive(Debug)]
pub(super) struct Activity {
    /// When a byte last went through, either way.
    last: Mutex<Instant>,
    /// How many sides have sent a Close.
    closes: AtomicU8,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self { last: Mutex::new(Instant::now()), closes: AtomicU8::new(0) }
    }

    pub(super) fn last(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn both_have_closed(&self) -> bool {
        self.closes.load(Ordering::Relaxed) >= 2
    }
}

/// What a direction has carried, kept also of one that is cut.
#[derive(Debug, Default)]
pub(super) struct Carried {
    pub(super) bytes: u64,
    /// The code of the sender's own Close.
    pub(super) close: Option<u16>,
    /// When that Close, or the end of the bytes, came.
    pub(super) ended: Option<Instant>,
    pub(super) failed: Option<io::ErrorKind>,
}

/// One direction.
pub(super) struct Pump<'t, R, W> {
    pub(super) from: R,
    pub(super) to: W,
    pub(super) way: Way,
    pub(super) activity: &'t Activity,
    pub(super) farewell: watch::Receiver<Option<Farewell>>,
    pub(super) carried: &'t mut Carried,
    pub(super) scanner: Scanner,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Pump<'_, R, W> {
    /// Passes bytes until the sender has no more, or a side fails, or the gateway has said farewell and the sender has heard it.
    /// Tells whether the tunnel is over with it: a side failed, or both have closed.
    pub(super) async fn run(mut self) -> bool {
        let passed = self.pass().await;
        self.carried.ended.get_or_insert_with(Instant::now);
        self.carried.failed = passed.err().map(|error| error.kind());
        self.carried.failed.is_some() || self.activity.both_have_closed()
    }

    async fn pass(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let told = *self.farewell.borrow_and_update();
            if let Some(farewell) = told.filter(|_| self.scanner.is_between_frames()) {
                self.say(farewell).await?;
                return self.discard(&mut buffer).await;
            }
            let count = tokio::select! {
                biased;
                changed = self.farewell.changed(), if told.is_none() => match changed {
                    Ok(()) => continue,
                    Err(_) => return Ok(()),
                },
                read = self.from.read(&mut buffer) => read?,
            };
            if count == 0 {
                self.carried.ended = Some(Instant::now());
                return self.to.shutdown().await;
            }
            self.activity.now();
            let bytes = &buffer[..count];
            let passed = if told.is_some() {
                let passed = self.scanner.pass_to_end_of_frame(bytes);
                // What comes after the frame that was begun goes no further.
                let rest = &bytes[passed..];
                self.to.write_all(&bytes[..passed]).await?;
                if self.scanner.is_between_frames()
                    && let Some(farewell) = told
                {
                    self.say(farewell).await?;
                    self.scanner.pass(rest);
                    self.carried.bytes += passed as u64;
                    return self.discard(&mut buffer).await;
                }
                passed
            } else {
                self.scanner.pass(bytes);
                self.to.write_all(bytes).await?;
                count
            };
            self.to.flush().await?;
            self.carried.bytes += passed as u64;
            self.note_close();
            self.activity.now();
        }
    }

    fn note_close(&mut self) {
        if self.carried.close.is_none()
            && let Some(code) = self.scanner.close()
        {
            self.carried.close = Some(code);
            self.activity.closes.fetch_add(1, Ordering::Relaxed);
            self.carried.ended.get_or_insert_with(Instant::now);
        }
    }

    /// Ends this direction with a Close, unless the sender has done so itself.
    async fn say(&mut self, farewell: Farewell) -> io::Result<()> {
        if self.scanner.close().is_some() {
            return Ok(());
        }
        let frame = match self.way {
            Way::ToClient => frames::close(farewell.code, farewell.words, None),
            // A service needs to know no more than that this client goes away.
            Way::ToService => {
                frames::close(GOING_AWAY.code, farewell.words, Some(fastrand::u32(..).to_be_bytes()))
            }
        };
        self.to.write_all(&frame).await?;
        self.to.flush().await
    }

    /// Reads on until the sender has answered with its own Close, or has gone.
    async fn discard(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        while self.scanner.close().is_none() {
            let count = self.from.read(buffer).await?;
            if count == 0 {
                break;
            }
            self.scanner.pass(&buffer[..count]);
        }
        self.note_close();
        Ok(())
    }
}

/// The gateway stops.
pub(super) const GOING_AWAY: Farewell = Farewell { code: 1001, words: "the gateway goes away" };
