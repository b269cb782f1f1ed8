extension Instrument {
    /// Michelson Doppler Imager on SOHO: 1024² full disks of 2″ pixels, 1996 to 2011.
    public static let mdi: Instrument = {
        var mdi = Instrument("mdi")
        mdi.title = "MDI"
        mdi.recognises = { $0.isOf("MDI", "MICHELSON DOPPLER IMAGER") }
        mdi.recognisesName = { $0.prefixMatch(of: /(?i)mdi[^a-z]/) != nil }
        // Record missing (0x2), more than 1 % of the image missing (0x78), on-board processing error (0x80), cosmic rays (0x400) and improbable
        // statistics (0x800) (SOI, "MDI standard quality bit definitions"). 0x200, "not in the prime 60 s programme", stands on good magnetograms.
        mdi.unfitQualityBits |= 0x0000_0CFA
        // JSOC: CROTA2 = −SOLAR_P.
        mdi.rollKeyword = "SOLAR_P0"
        mdi.standardHeader = measuredScale
        mdi.conditions = conditionsOfMDI
        // Widths: 3.2″ with a wing to 3.6″ without, fitted to three pairs of NOAA 11183; 3.32″ for 2010 (Yeo et al. 2024, A&A,
        // doi:10.1051/0004-6361/202450102, Table 2); MDI was refocused in 1998 and later. The gain rises in weak field to 1.62 in these pairs. Noise: from
        // the centre of the disk at five minutes to the noisy quadrant at one minute, divided by the gain.
        mdi.degradation = Degradation(
            instrument: "mdi", width: 2.6...4.0, wingFraction: 0...0.1, wingWidth: 10, gain: 1.4, gainScatter: 0.97...1.03,
            weakFieldExcess: 0...0.16, noise: 4...20, saturation: saturation)
        return mdi
    }()

    /// In umbrae the signal saturates, since a table on board has 15 bits (Liu, Norton & Scherrer 2007, Solar Physics 241, 185); Gauss of level 1.8.2.
    private static let saturation = 3500.0

    /// How much smaller the values of the original calibration are than those since 2007 (Tran et al. 2005, ApJS 156, 295); it varies over the disk.
    private static let recalibration = 1.7

    /// Early files give the nominal scale in `CDELTn` and the measured one in `IM_SCALE`.
    private static func measuredScale(_ header: FITSHeader) -> FITSHeader {
        guard let scale = header.real("IM_SCALE"), let nominal = header.real("CDELT1"), nominal != scale, abs(nominal - scale) < 0.01 * scale,
            let radius = header.real("R_SUN"), let angle = header.real("OBS_R0"), abs(angle / radius - scale) < 1e-3 * scale
        else { return header }
        var header = header
        for keyword in ["CDELT1", "CDELT2"] { header.set(keyword, .real(scale), comment: "IM_SCALE; it was \(nominal)") }
        return header
    }

    private static func conditionsOfMDI(_ header: FITSHeader) -> ObservingConditions {
        let level = Level(header)
        let gain = level == .original ? 1.4 / recalibration : 1.4
        let exposure = header.real("INTERVAL")
        // What lies between the levels is their scale.
        let scale = gain / 1.4
        var conditions = ObservingConditions(arcsecPerPixel: PixelGrid(header)?.arcsecPerPixel ?? 1.98)
        (conditions.level, conditions.exposure) = (level.name, exposure)
        (conditions.gain, conditions.gainSource, conditions.gainDoubt) = (gain, "Liu et al. 2012, Solar Physics 279, 295", level.doubt)
        // Yeo, Solanki & Krivova 2024; three pairs of NOAA 11183 give 3.3″.
        conditions.psf = PointSpreadFunction(width: 3.32)
        // Liu et al. 2012, for one and for five minutes. Where INTERVAL is missing, five, as in most of the 96-minute series.
        let isShort = exposure.map { $0 < 150 } ?? false
        conditions.noise = (isShort ? 26.4 : 16.2) * scale
        conditions.noisePattern = isShort ? oneMinute : fiveMinutes
        conditions.saturation = saturation * scale
        return conditions
    }

    /// The scatter of weak field, in Gauss of level 1.8.2, in squares of a third of the solar radius: from −0.83 to 0.83 radii, the lowest row first.
    /// It belongs to the detector, for frames eleven years apart agree. Nothing in the corners: their neighbours' mean.
    ///
    /// mdi.fd_M_96m_lev182 of 2010-10-15 00:00.
    private static let fiveMinutes = DiskPattern(
        [
            [11.6, 11.6, 14.0, 18.9, 18.5, 18.5], [11.6, 11.4, 13.4, 19.0, 21.5, 18.4], [11.3, 10.6, 10.2, 11.0, 16.7, 19.0],
            [12.1, 11.1, 9.3, 9.5, 12.1, 16.0], [11.4, 11.3, 10.1, 10.1, 11.1, 12.6], [11.1, 10.7, 10.9, 10.3, 10.5, 11.6],
        ], extent: 0.83)
    /// The same of 1999-12-11 00:00.
    private static let oneMinute = DiskPattern(
        [
            [25.4, 24.4, 26.8, 29.6, 30.0, 30.0], [26.3, 23.6, 23.7, 25.6, 29.5, 31.3], [26.8, 23.7, 23.7, 20.6, 26.0, 32.2],
            [23.7, 22.3, 22.3, 25.4, 26.9, 32.8], [22.8, 23.6, 22.1, 23.6, 25.5, 31.2], [21.9, 21.0, 21.0, 22.4, 25.6, 28.4],
        ], extent: 0.83)

    /// How the field was calibrated.
    private enum Level {
        /// Level 1.8.2: the map of Ulrich et al. 2009 (Solar Physics 255, 53), which the gain was measured with.
        case current
        /// Level 1.8 of October 2007 and later: one factor less than a map of Tran et al. 2005.
        case recalibrated
        /// Levels 1.5 and 1.8 before.
        case original
        case unknown

        /// JSOC's series, with their coordinates by name, hold level 1.8.2 alone, and SMARP maps are made of it. Early files tell it (`BLDVER18`,
        /// `SENSADJ`, `NOTE1`), or by the day on which they were written.
        init(_ header: FITSHeader) {
            let type = header.string("CTYPE1")?.uppercased() ?? ""
            if header.integer("BLDVER18").map(abs) == 60102 || header.integer("SENSADJ") == 1 || header.contains("SINRHOTB")
                || header.string("NOTE1")?.contains("1.8.2") == true || type.hasPrefix("HPLN") || type.hasPrefix("CRLN")
            {
                self = .current
            } else if let date = header.string("DATE"), date.count >= 10, date.hasPrefix("19") || date.hasPrefix("20") {
                self = date.prefix(10) < "2007-10-15" ? .original : .recalibrated
            } else {
                self = .unknown
            }
        }

        var name: String? {
            switch self {
            case .current: "1.8.2"
            case .recalibrated: "1.8 (since October 2007)"
            case .original: "1.5 or 1.8 (before October 2007)"
            case .unknown: nil
            }
        }

        var doubt: String? {
            switch self {
            case .current: nil
            case .recalibrated: "it was measured for level 1.8.2, from which this level differs by a map, most near the limb"
            case .original: "it was measured for level 1.8.2; values of this level are about 1.7 times smaller, by a factor that varies over the disk"
            case .unknown: "it was measured for level 1.8.2, and the header does not tell the level"
            }
        }
    }
}
