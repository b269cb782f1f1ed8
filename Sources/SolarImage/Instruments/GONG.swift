import Foundation

extension Instrument {
    /// Global Oscillation Network Group of NSO: 860² full disks of about 2.5″ pixels from six sites, one-minute images averaged over ten minutes, since
    /// 2006. (Files of the network's other observables are not recognised.)
    public static let gong: Instrument = {
        var gong = Instrument("gong")
        gong.title = "GONG"
        gong.recognises = { header in
            header.string("TELESCOP")?.uppercased().hasSuffix("GONG") == true && ["MAGNETIC", nil].contains(header.string("IMTYPE")?.uppercased())
        }
        gong.recognisesName = { $0.prefixMatch(of: /(?i)(bb|ct|tc|le|ml|td|ud)[bz]qa\d{6}t\d{4}/) != nil }
        // Weak field scatters by 5 to 8 G within, by 10 G to 0.99 and by 25 G to 1, and beyond stands a number that differs from file to file.
        gong.limb = 0.98
        gong.standardHeader = standardised
        gong.conditions = conditionsOfGONG
        return gong
    }()

    private static func conditionsOfGONG(_ header: FITSHeader) -> ObservingConditions {
        var conditions = ObservingConditions(arcsecPerPixel: PixelGrid(header)?.arcsecPerPixel ?? 2.53)
        let images = max(1, header.real("N_USED") ?? 10)
        conditions.exposure = 60 * images
        // HMI is 1.438 times GONG. At the centre of the disk it misses half of weak flux (Plowman & Berger 2020, Solar Physics 295, 142).
        (conditions.gain, conditions.gainSource) = (1 / 1.438, "Liu et al. 2025, Solar Physics 300, 8")
        // The aperture of 2.8 cm alone makes 5.0″ at 676.8 nm; quiet Sun in both local files correlates as 6″ to 7″ would at most.
        conditions.psf = PointSpreadFunction(width: 6)
        // The floor of the power spectrum beyond 0.4 cycles a pixel of means of nine and ten images.
        conditions.noise = 2.2 * (10 / images).squareRoot()
        // Its "dynamic range" (GONG's magnetogram upgrade).
        conditions.saturation = 2300
        return conditions
    }

    /// World coordinates of the sky, from the limb that was fitted; observer, and time in UTC.
    ///
    /// As stored north is up and west is right: rotation by `PA` is done. `CDELTn` is 0 or absent; `CRPIXn` counts pixels from 0 at the first one's left
    /// edge (MPS, "GONG header example"); times are those of GPS, but those with date and time in one. What states the disk in pixels, or statistics of the
    /// whole image, goes: no part of the image would have it right.
    private static func standardised(_ original: FITSHeader) -> FITSHeader {
        guard original.string("CTYPE1")?.hasPrefix("GONG") == true else { return original }
        var header = original
        let time = time(of: header)
        if let time {
            header.set("T_OBS", .string(time.description), comment: "UTC, from DATE-OBS and TIME-OBS")
            header.set("DATE-OBS", .string(String(time.description.dropLast())), comment: "UTC")
            header.remove("TIME-OBS")
        }
        // SEMIDIAM and RADIUS: radians.
        if let x = header.real("FNDLMBXC"), let y = header.real("FNDLMBYC"), let minor = header.real("FNDLMBMI"), let major = header.real("FNDLMBMA"),
            min(minor, major) > 0, let radius = header.real("SEMIDIAM") ?? header.real("RADIUS"), radius > 0, radius < 0.1
        {
            let angle = radius * PixelGrid.arcsecPerRadian, scale = 2 * angle / (minor + major)
            for (keyword, text) in [("CTYPE1", "HPLN-TAN"), ("CTYPE2", "HPLT-TAN"), ("CUNIT1", "arcsec"), ("CUNIT2", "arcsec")] {
                header.set(keyword, .string(text), comment: "")
            }
            for (keyword, number) in [
                ("CRPIX1", x + 0.5), ("CRPIX2", y + 0.5), ("CRVAL1", 0), ("CRVAL2", 0), ("CDELT1", scale), ("CDELT2", scale), ("CROTA2", 0),
                ("RSUN_OBS", angle),
            ] { header.set(keyword, .real(number), comment: "") }
            let radiusOfSun = header.solarRadius
            header.set("RSUN_REF", .real(radiusOfSun), comment: "[m]")
            let distance = header.real("DISTANCE").map { $0 * 149_597_870_691 } ?? radiusOfSun / sin(radius)
            header.set("DSUN_OBS", .real(distance), comment: "[m]")
            header.set("WCSNAME", .string("Helioprojective-cartesian"), comment: "")
        }
        if let latitude = header.real("B0") ?? time?.subEarthLatitude { header.set("CRLT_OBS", .real(latitude), comment: "[deg]") }
        if let longitude = header.real("L0") ?? time?.centralMeridianLongitude {
            header.set("CRLN_OBS", .real(longitude), comment: "[deg]")
            header.set("HGLN_OBS", .real(0), comment: "[deg]")
        }
        if header.string("BUNIT") == nil { header.set("BUNIT", .string("Gauss")) }
        if header.contains("FILLED") { header.set("QUALITY", .integer(0x8000_0000), comment: "FILLED: bad, or a repeat of another") }
        for card in header.cards where card.keyword.wholeMatch(of: /(FNDLMB|AVGLMB|CENTRO|IMG)[A-Z_]+\d*|SKYVALUE/) != nil {
            header.remove(card.keyword)
        }
        return header
    }

    /// Date and time apart count as GPS does, 19 s behind TAI; together they are UTC.
    private static func time(of header: FITSHeader) -> ObservationTime? {
        guard let date = header.string("DATE-OBS") else { return nil }
        guard let time = header.string("TIME-OBS") else { return ObservationTime(date) }
        return ObservationTime("\(date) \(time)_TAI").map { ObservationTime(taiSeconds: $0.taiSeconds + 19) }
    }
}
