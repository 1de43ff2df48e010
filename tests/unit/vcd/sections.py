"""Sections of a VM as VCD shows them."""

from __future__ import annotations

from lxml import etree

CUSTOMIZATION = etree.fromstring(
    b"""<GuestCustomizationSection xmlns="http://www.vmware.com/vcloud/v1.5"
      xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" ovf:required="false">
      <ovf:Info>Specifies Guest OS Customization Settings</ovf:Info>
      <Enabled>true</Enabled><ChangeSid>false</ChangeSid>
      <AdminPasswordEnabled>true</AdminPasswordEnabled><AdminPasswordAuto>true</AdminPasswordAuto>
      <AdminPassword>hunter2</AdminPassword>
      <ResetPasswordRequired>false</ResetPasswordRequired>
      <ComputerName>mstr-ab12</ComputerName>
      <Link rel="edit" href="https://h/x"/>
    </GuestCustomizationSection>"""
)
