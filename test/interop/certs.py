# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 Sallyport contributors
"""A certification authority for one case, and what it signs; everything is PEM text."""
import os
import tempfile

from lab import sh

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Ca:
    """Makes an authority; sign() makes a certificate and its key."""

    def __init__(self, name="Interop CA"):
        with tempfile.TemporaryDirectory(prefix="sp-ca-") as d:
            self.key, self.cert = self._request(d, name, "-x509", "-days", "30")

    @staticmethod
    def _request(folder, name, *args):
        """openssl req with a new key; (key, what was made)."""
        key, out = os.path.join(folder, "new.key"), os.path.join(folder, "new.pem")
        sh("openssl", "req", *EC, "-keyout", key, "-out", out, "-subj", "/O=Sallyport/CN=" + name,
           *args)
        return read(key), read(out)

    def sign(self, name, *alternatives):
        """(certificate, key, this authority's certificate); alternatives such as IP:192.0.2.1 are
        names that IKE may use as identity."""
        with tempfile.TemporaryDirectory(prefix="sp-ca-") as d:
            key, request = self._request(d, name)
            files = {"ca.key": self.key, "ca.pem": self.cert, "req.pem": request,
                     "ext": "keyUsage=digitalSignature\nsubjectAltName="
                            + ",".join(alternatives) + "\n"}
            for file, text in files.items():
                with open(os.path.join(d, file), "w", encoding="ascii") as f:
                    f.write(text)
            out = os.path.join(d, "out.pem")
            sh("openssl", "x509", "-req", "-days", "30", "-in", os.path.join(d, "req.pem"), "-CA",
               os.path.join(d, "ca.pem"), "-CAkey", os.path.join(d, "ca.key"), "-CAcreateserial",
               "-extfile", os.path.join(d, "ext"), "-out", out)
            return read(out), key, self.cert


def read(path):
    with open(path, encoding="ascii") as f:
        return f.read()
