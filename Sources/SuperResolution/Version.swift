/// The version of this program, as written to models and FITS headers.
public let programVersion = "0.1.0"
