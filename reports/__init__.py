"""From records to verdicts, figures and two reports with the same content.

`reports.spec` holds the models of a study's claims, figures and evidence and imports nothing heavy;
`reports.judging.board` gives the verdicts, `reports.write.write_reports` writes HTML and PDF.
"""
