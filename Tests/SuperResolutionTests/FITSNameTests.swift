import SuperResolution
import Testing

@Suite struct FITSNameTests {
    @Test(arguments: [
        ("a.fits", "a"), ("a.FIT", "a"), ("a.fts", "a"), ("a.b.fits.gz", "a.b"), ("a.fit.gz", "a"), ("a.fts.GZ", "a"), ("a.fits.fz", "a"),
        ("a.fts.fz", "a"),
        ("a.fz", "a"),
    ]) func endingsOfFITS(_ name: String, _ stem: String) {
        #expect(FITSName.isFITS(name) && FITSName.stem(name) == stem && !FITSName.isUnreadFITS(name))
    }

    @Test(arguments: ["a.gz", "a.png", "afits", ".a.fits", "a.fits.png", "a.fz.gz"]) func otherNames(_ name: String) {
        #expect(!FITSName.isFITS(name) && FITSName.stem(name) == (name == ".a.fits" ? ".a" : name) && !FITSName.isUnreadFITS(name))
    }

    @Test(arguments: ["a.fits.bz2", "a.imfits", "a.fits.Z", "a.fts.zip", "a.fit.xz"]) func storedAsIsNotRead(_ name: String) {
        #expect(FITSName.isUnreadFITS(name) && !FITSName.isFITS(name))
    }
}
