import CFITSIO
import Foundation
import Groundwork

/// Full-disk files as JSOC delivers them: an empty primary unit, then an image of 32-bit integers, tile-compressed row by row with Rice, in steps of
/// 0.1 G (HMI) or 0.01 G (MDI), with the keywords of `hmi.M_720s` or `mdi.fd_M_96m_lev182`.
extension SyntheticDisk {
    /// The step of the stored field in Gauss, `BSCALE`.
    package var quantum: Double { camera.instrument == .hmi ? 0.1 : 0.01 }

    /// A name as JSOC gives its exports, such as `hmi.M_720s.20100901_000000_TAI.magnetogram.fits`.
    package var fileName: String {
        let slot = SyntheticDisk.text(slot, "yyyyMMdd_HHmmss")
        return camera.instrument == .hmi ? "hmi.M_720s.\(slot)_TAI.magnetogram.fits" : "mdi.fd_M_96m_lev182.\(slot)_TAI.data.fits"
    }

    /// Renders and writes the disk, over a file that exists.
    ///
    /// `overrides` spoil the header: each gives a keyword another value, as it shall stand in the file (`"'km/s'"`, `"0"`, `"nan"`), or leaves it out
    /// (nil). Keywords that the file has not otherwise are appended.
    /// - Returns: what ``field()`` gave, before it was rounded to ``quantum``.
    /// - Throws: `Failure` (`.cannotWrite`).
    @discardableResult
    package func write(to url: URL, overrides: [String: String?] = [:]) throws -> [Float] {
        let field = field()
        let stored = field.map { $0.isNaN ? Int32.min : Int32((Double($0) / quantum).rounded()) }
        try? FileManager.default.removeItem(at: url)
        var opened: UnsafeMutablePointer<fitsfile>?
        var status: CInt = 0
        ffcmsg()  // fits_clear_errmsg
        ffdkinit(&opened, url.path, &status)  // fits_create_diskfile
        if let opened {
            ffcrimll(opened, BYTE_IMG, 0, nil, &status)  // fits_create_imgll
            fits_set_compression_type(opened, RICE_1, &status)
            var tile = [camera.width, 1], axes = [Int64(camera.width), Int64(camera.height)]
            fits_set_tile_dim(opened, 2, &tile, &status)
            ffcrimll(opened, LONG_IMG, 2, &axes, &status)
            let cards = cards(field, overrides: overrides)
            ffhdef(opened, CInt(cards.count), &status)  // fits_set_hdrsize
            // Pixels before the header: were BSCALE known, cfitsio would scale them.
            var first: [Int64] = [1, 1]
            stored.withUnsafeBytes { pixels in
                let start = UnsafeMutableRawPointer(mutating: pixels.baseAddress)
                _ = ffppxll(opened, TINT, &first, Int64(stored.count), start, &status)  // fits_write_pixll
            }
            for card in cards { ffprec(opened, card, &status) }  // fits_write_record
            ffclos(opened, &status)  // fits_close_file
        }
        guard status == 0 else { throw Failure(.cannotWrite, "cannot be written", at: url.path, found: "cfitsio status \(status)") }
        return field
    }
}

extension SyntheticDisk {
    /// `T_REC`: the nearest slot of the series.
    private var slot: Double {
        let cadence = camera.instrument == .hmi ? 720.0 : 5760.0
        return (taiSeconds / cadence).rounded() * cadence
    }

    /// Records of 80 columns.
    private func cards(_ field: [Float], overrides: [String: String?]) -> [String] {
        var keywords = shared(field) + (camera.instrument == .hmi ? hmi : mdi)
        for (keyword, value) in overrides.sorted(by: { $0.key < $1.key }) {
            let index = keywords.firstIndex { $0.keyword == keyword }
            switch (index, value) {
            case (let index?, let value?): keywords[index].value = value
            case (let index?, nil): keywords.remove(at: index)
            case (nil, let value?): keywords.append((keyword, value))
            case (nil, nil): break
            }
        }
        return keywords.map { keyword, value in
            let name = keyword.padding(toLength: 8, withPad: " ", startingAt: 0) + "= "
            return name + (value.hasPrefix("'") ? value : String(repeating: " ", count: max(0, 20 - value.count)) + value)
        }
    }

    private func shared(_ field: [Float]) -> [(keyword: String, value: String)] {
        let values = field.lazy.filter(\.isFinite)
        let radius = asin(SyntheticSun.radius / observer.distance) * 180 * 3600 / .pi
        // Rotation C begins near Julian date 2398140.227 + 27.2752316 C (Meeus, Astronomical Algorithms, chapter 29).
        let rotation = ((taiSeconds / 86400 + 2_440_587.5 - 2_398_140.227) / 27.2752316).rounded(.down)
        return [
            ("BSCALE", "\(quantum)"), ("BZERO", "0.0"), ("BLANK", "\(Int32.min)"), ("BUNIT", "'Gauss'"), ("WCSAXES", "2"),
            ("WCSNAME", "'Helioprojective-cartesian'"), ("CTYPE1", "'HPLN-TAN'"), ("CTYPE2", "'HPLT-TAN'"), ("CUNIT1", "'arcsec'"),
            ("CUNIT2", "'arcsec'"), ("CRPIX1", "\(camera.centre.x)"), ("CRPIX2", "\(camera.centre.y)"), ("CRVAL1", "0.0"), ("CRVAL2", "0.0"),
            ("CDELT1", "\(camera.arcsecPerPixel)"), ("CDELT2", "\(camera.arcsecPerPixel)"), ("CROTA2", "\(camera.rotation)"),
            ("DSUN_OBS", "\(observer.distance)"), ("RSUN_REF", "\(Int(SyntheticSun.radius))"), ("RSUN_OBS", "\(radius)"),
            ("R_SUN", "\(radius / camera.arcsecPerPixel)"), ("CRLN_OBS", "\(observer.longitude)"), ("CRLT_OBS", "\(observer.latitude)"),
            ("CAR_ROT", "\(Int(rotation))"), ("DATAVALS", "\(values.count)"), ("MISSVALS", "0"), ("DATAMIN", "\(Double(values.min() ?? 0))"),
            ("DATAMAX", "\(Double(values.max() ?? 0))"),
        ]
    }

    private var hmi: [(keyword: String, value: String)] {
        // DATE-OBS lies 67.4 s before T_OBS in files of 2012.
        [
            ("DATE", "'2018-04-30T07:54:48'"), ("DATE-OBS", utc(taiSeconds - 67.4, "SS")), ("T_OBS", tai(taiSeconds)), ("T_REC", tai(slot)),
            ("TRECEPOC", "'1993.01.01_00:00:00_TAI'"), ("TRECSTEP", "720.0"), ("TRECUNIT", "'secs'"), ("CADENCE", "720.0"),
            ("TELESCOP", "'SDO/HMI'"), ("INSTRUME", "'HMI_SIDE1'"), ("CAMERA", "1"), ("WAVELNTH", "6173.0"), ("CONTENT", "'MAGNETOGRAM'"),
            ("ORIGIN", "'SDO/JSOC-SDP'"), ("QUALITY", "0"), ("QUALLEV1", "0"), ("DSUN_REF", "149597870691"), ("CRDER1", "'nan'"), ("CRDER2", "'nan'"),
            ("CSYSER1", "'nan'"), ("CSYSER2", "'nan'"), ("OBS_VR", "-2454.0621"), ("OBS_VW", "29074.920104"), ("OBS_VN", "-403.128145"),
            ("HFLID", "1021"), ("HCFTID", "11"), ("QLOOK", "0"), ("CALVER64", "16"), ("BLD_VERS", "'V8R9X'"), ("RECNUM", "1"),
        ]
    }

    private var mdi: [(keyword: String, value: String)] {
        // Five minutes are averaged, and DATE-OBS is their beginning.
        [
            ("DATE", "'2012-02-28T00:05:04.000'"), ("DATE-OBS", utc(taiSeconds - 150, "SSS")), ("T_OBS", tai(taiSeconds, "ss.SSS")),
            ("T_REC", tai(slot, "ss.SSS")), ("TRECEPOC", "'1993.01.01_00:00:30.000_TAI'"), ("TRECSTEP", "5760.0"), ("CADENCE", "5760.0"),
            ("INTERVAL", "300.0"), ("TELESCOP", "'SOHO'"), ("CAMERA", "'MDI'"), ("WAVELNTH", "6768"), ("CONTENT", "'MDI Full Disk 96m Magnetogram'"),
            ("ORIGIN", "'SOI Science Support Center'"), ("QUALITY", "512"), ("X0", "\(camera.centre.x - 1)"), ("Y0", "\(camera.centre.y - 1)"),
            ("CROP_RAD", "\(504 * Double(camera.width) / 1024)"), ("DPC", "1229328320"), ("OBS_VR", "-473.2675738323"),
            ("OBS_VW", "29268.53688682999"), ("OBS_VN", "-2151.790277002"), ("XY_FROM", "'SMOOTH'"), ("XY_QUAL", "0"),
            ("BFITZORG", "0.09655951708555222"), ("CALTBLS", "'mdi.scale_corrections'"), ("ROLL_TBL", "'mdi.roll_table'"),
            ("SINRHOTB", "'mdi.sinrho_table'"), ("BLD_VERS", "'V6R1X'"), ("RECNUM", "1"),
        ]
    }

    private func tai(_ seconds: Double, _ digits: String = "ss") -> String {
        "'\(SyntheticDisk.text(seconds, "yyyy.MM.dd_HH:mm:\(digits)"))_TAI'"
    }

    private func utc(_ seconds: Double, _ fraction: String) -> String {
        // TAI − UTC: 29 s from July 1994, one more after each of these dates (IERS Bulletin C).
        let steps = ["1996-01-01", "1997-07-01", "1999-01-01", "2006-01-01", "2009-01-01", "2012-07-01", "2015-07-01", "2017-01-01"]
        let day = SyntheticDisk.text(seconds - 37, "yyyy-MM-dd")
        return "'\(SyntheticDisk.text(seconds - 29 - Double(steps.prefix { $0 <= day }.count), "yyyy-MM-dd'T'HH:mm:ss.\(fraction)"))'"
    }

    private static func text(_ seconds: Double, _ format: String) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = format
        return formatter.string(from: Date(timeIntervalSince1970: seconds))
    }
}
