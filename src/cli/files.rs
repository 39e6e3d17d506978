//! Files that commands are given, and files that they make.

use std::fs::File;
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::Failure;

/// Refuses a folder in the place of a capture; what else a path may be, opening it tells.
///
/// # Errors
/// [`Failure`] names it.
pub fn no_folder(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(Failure::usage(format!("{}: is a directory, expected a capture", path.display())));
    }
    Ok(())
}

/// The one rule for what is written to: a file that is there is written over where that was asked for,
/// and what is no file (a device, a folder, a link to one) never is.
///
/// # Errors
/// [`Failure`] names the path.
pub fn may_write(path: &Path, force: bool) -> Result<(), Failure> {
    let name = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            Err(Failure::usage(format!("{name} is a directory, expected the name of a file")))
        }
        Ok(found) if !found.is_file() => {
            Err(Failure::usage(format!("{name} is no regular file: it is not written over")))
        }
        Ok(_) if !force => Err(Failure::usage(format!("{name} is there already; --force writes over it"))),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::failed(format!("{name}: {error}"))),
    }
}

/// Files that have their names once they are whole: all of them, or none. What fails before leaves
/// nothing behind, folders included.
pub struct Parts {
    /// Under which name a file is written, and which one it gets.
    names: Vec<(PathBuf, PathBuf)>,
    /// Folders that were made for them, the innermost first.
    folders: Vec<PathBuf>,
}

impl Parts {
    /// Makes the files when all of them may be written; before them the folder, where one is wanted and
    /// missing.
    ///
    /// # Errors
    /// [`Failure`] names the first that may not be made or cannot.
    pub fn create(
        folder: Option<&Path>,
        paths: Vec<PathBuf>,
        force: bool,
    ) -> Result<(Parts, Vec<Named>), Failure> {
        for (at, path) in paths.iter().enumerate() {
            may_write(path, force)?;
            if paths[..at].contains(path) {
                return Err(Failure::usage(format!("{}: two files would have this name", path.display())));
            }
        }
        let mut parts = Parts { names: Vec::new(), folders: Vec::new() };
        if let Some(folder) = folder {
            let missing = folder.ancestors().take_while(|above| !above.exists());
            parts.folders = missing.map(Path::to_owned).collect();
            std::fs::create_dir_all(folder)
                .map_err(|error| Failure::failed(format!("{}: {error}", folder.display())))?;
        }
        let mut files = Vec::new();
        for path in paths {
            let mut part = path.clone().into_os_string();
            part.push(".part");
            let part = PathBuf::from(part);
            // What is left of a run that was killed goes; a device of that name stays what it is.
            may_write(&part, true)?;
            let file = File::create(&part);
            let file = file.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
            files.push(Named { path: path.clone(), file });
            parts.names.push((part, path));
        }
        Ok((parts, files))
    }

    /// Gives the files their names, when all that belongs into them is written.
    ///
    /// # Errors
    /// [`Failure`] names the one that cannot have it.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.folders.clear();
        for (part, path) in std::mem::take(&mut self.names) {
            std::fs::rename(&part, &path)
                .map_err(|error| Failure::failed(format!("{}: {error}", path.display())))?;
        }
        Ok(())
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        for (part, _) in &self.names {
            let _ = std::fs::remove_file(part);
        }
        // Only what is empty goes: others may have put something there.
        for folder in &self.folders {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// A file whose errors say which one it is.
#[derive(Debug)]
pub struct Named {
    path: PathBuf,
    file: File,
}

impl Named {
    /// The file alone.
    pub fn into_file(self) -> File {
        self.file
    }

    fn told(&self, error: io::Error) -> io::Error {
        match error.kind() {
            // Writers try these again.
            ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, format!("{}: {error}", self.path.display())),
        }
    }
}

impl Write for Named {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| self.told(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| self.told(error))
    }
}

impl Seek for Named {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to).map_err(|error| self.told(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_their_names_together_or_not_at_all() {
        let folder = std::env::temp_dir().join(format!("xarb-{}-parts", std::process::id()));
        let inner = folder.join("a/b");
        let names = ["one", "two"].map(|name| inner.join(name));
        let write = || {
            let (parts, files) = Parts::create(Some(&inner), names.to_vec(), false)?;
            for mut file in files {
                file.write_all(b"whole").unwrap();
            }
            Ok::<_, Failure>(parts)
        };
        drop(write().unwrap());
        assert!(!folder.exists(), "nothing is left");
        write().unwrap().finish().unwrap();
        assert!(names.iter().all(|name| std::fs::read(name).unwrap() == b"whole"));
        assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 2);

        // One of several is there already, or the same one twice: nothing is made.
        std::fs::remove_file(&names[0]).unwrap();
        let refused = write().map(drop).unwrap_err().message;
        assert!(refused.contains("two is there already; --force"), "{refused}");
        let twice = vec![names[0].clone(), names[0].clone()];
        let refused = Parts::create(None, twice, true).map(drop).unwrap_err().message;
        assert!(refused.contains("one: two files would"), "{refused}");
        assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 1);
        let refused = Parts::create(None, vec![inner.clone()], true).map(drop).unwrap_err().message;
        assert!(refused.contains("b is a directory"), "{refused}");
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn only_regular_files_are_written_over() {
        let link = std::env::temp_dir().join(format!("xarb-{}-link", std::process::id()));
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        for path in [Path::new("/dev/null"), &link] {
            let refused = may_write(path, true).unwrap_err().message;
            assert!(refused.contains("is no regular file"), "{refused}");
        }
        std::fs::remove_file(&link).unwrap();
    }
}
